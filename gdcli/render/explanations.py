"""What the words of an answer mean, a sentence each, for people who are handed a page."""

from __future__ import annotations

STATUSES = {
    "converged": "The point passed every test: it is what was looked for, not only where a loop ended.",
    "completed": "The run did what it was asked to do and came to its end; that is no claim about the point.",
    "limit": "A cap on iterations, evaluations or time came first.",
    "stalled": "No step makes progress any more, and yet the point is not the one looked for.",
    "diverged": "The value falls (or rises) without end, or the points run away.",
    "wrong-kind": "The gradient is zero, but this is a saddle, or the opposite of what was looked for; of a fit: "
    "the data do not tell all parameters.",
    "infeasible": "No point was found that fulfils all constraints.",
}
MEANINGS = STATUSES | {
    "|gradient|": "The length of the vector of slopes. At a smooth minimum it is zero, but for rounding.",
    "kind": "What the curvature says: at a minimum all eigenvalues of the matrix of second derivatives (the Hessian) "
    "are positive. The condition is the largest over the smallest: how elongated the valley is.",
    "proved": "Computed with intervals, which enclose all rounding: a theorem about the function as typed.",
    "left to gain": "How much lower the value could still become, estimated from gradient and curvature.",
    "work": "How often the function and its derivatives were computed.",
    "stopped": "The rule that ended the run.",
    "held by": "The bounds that the answer lies on.",
    "violation": "By how much constraints are broken, at most.",
    "residuals": "What the model leaves over in a row, typically; of the same unit as what is measured.",
    "R-squared": "The part of the scatter that the model accounts for: 1 is all of it.",
    "AIC, BIC": "Goodness of fit with a price for each parameter: of two models of the same rows the lower is better.",
    "parameter": "The standard error is how far a parameter would typically move with new data of the same kind; the "
    "95 % interval covers the true one in 95 of 100 such experiments; t is the parameter over its error.",
    "rate": "lr*L is the rate times the largest curvature: above 2 steps overshoot farther each time.",
    "agrees": "Ways to compute the derivative that have nothing in common give the same numbers.",
    "h": "A difference quotient is wrong by truncation where h is large, and by rounding where it is small.",
}
