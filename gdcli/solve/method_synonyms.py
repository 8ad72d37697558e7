"""What methods are called elsewhere: the one here, or what to do where there is none. Only an error needs it."""

from __future__ import annotations

_ROWS = (
    ("lbfgs", "l-bfgs-b l-bfgs lbfgsb lbfgs-b limited-memory-bfgs"),
    ("bfgs", "dfp sr1 quasi-newton fminunc"),
    ("gd", "gradient-descent gradientdescent gradient steepest-descent steepest descent vanilla"),
    ("batch", "minimize-batch batch-gradient-descent"),
    (
        "lm",
        "levenberg-marquardt levenbergmarquardt marquardt levenberg leastsq least-squares gauss-newton curve-fit",
    ),
    ("cg", "conjugate-gradient conjugate-gradients ncg fletcher-reeves polak-ribiere"),
    ("newton", "newton-raphson trust-region trust-exact dogleg"),
    ("newton-cg", "trust-ncg trust-krylov tnc truncated-newton newton-krylov"),
    ("bb", "barzilai-borwein spectral"),
    ("momentum", "heavy-ball polyak sgd-momentum"),
    ("nesterov", "nag accelerated fista nesterov-momentum"),
    ("adam", "adamw adamax nadam amsgrad adadelta"),
    ("penalty", "quadratic-penalty penalty-method exterior exterior-point courant"),
    ("auto", "default best trf none augmented-lagrangian"),
    (
        "write the barrier as a term of the expression, - m*log(1-x**2-y**2) say, with --set m=0.01, or use auto",
        "barrier log-barrier interior",
    ),
    (
        "none here searches without derivatives: auto has exact ones, and takes kinks too",
        "nelder-mead neldermead simplex powell brent golden cobyla derivative-free bobyqa fminsearch pattern-search",
    ),
    (
        "use auto, with --bounds x=0:5 where there are bounds, --subject-to 'x + y <= 1' where there are constraints",
        "slsqp sqp trust-constr interior-point ipopt projected-gradient fmincon",
    ),
    (
        "to look for the best of several minima use auto, with --multi-start 20",
        "basinhopping basin-hopping differential-evolution simulated-annealing dual-annealing annealing genetic ga pso "
        "brute shgo cma-es cmaes global",
    ),
    ("it is for rows of data, in gd fit; for an expression use gd", "sgd stochastic mini-batch minibatch"),
    (
        "a linear model is solved directly: leave out --method",
        "ols linear normal-equation normal-equations qr svd",
    ),
)


def known_as(name: str) -> str:
    """Return the method that ``name``, in small letters, is, or what to do in its place; nothing for other names."""
    return next((instead for instead, names in _ROWS if name in names.split()), "")
