"""What the rows tell of a fit beside its parameters: order and distribution of residuals, outliers, influence.

- Influence, exactly: ``d theta/d y`` of a row is ``H^-1 f' w`` with H half the Hessian of the sum of squares, second
  derivatives of the model included (the implicit function theorem for the gradient, which stays zero).
- Leverage, studentised residual and Cook's distance: Cook and Weisberg, Residuals and Influence in Regression, 1982.
- Outliers: ROUT (Motulsky and Brown, BMC Bioinformatics 7:123, 2006): a fit by Lorentz's distribution, whose scale is
  the 68.27 % point of the sizes of the residuals, and then those that a false discovery rate of 1 % lets be outliers.
- Lack of fit: where rows have the same values of all columns of the model, the spread among them measures the noise
  alone (Draper and Smith, Applied Regression Analysis, 3rd ed., 1998, section 2.1).
- Labels: accuracy at a half, mean log loss, the area under the ROC curve (Hanley and McNeil, Radiology 143, 1982), and
  the line of the logits that are right by the logits that are said (Cox, Biometrika 45, 1958): 0 and 1 at best.
"""

from __future__ import annotations

from math import ceil, fsum, sqrt

from gdcli.judge.distributions import f_tail, normal_tail, student_t_two_sided
from gdcli.judge.fit_tests import anderson_darling, durbin_watson, runs
from gdcli.judge.statistics import FitStatistics
from gdcli.kernel.budget import if_in_time
from gdcli.kernel.dataclass import replace
from gdcli.kernel.number_format import short
from gdcli.kernel.vectors import Array, Vector, np
from gdcli.objective.row_objective import PIECE, RowObjective
from gdcli.tasks.fit.data_checks import over_of, read_by_formula
from gdcli.tasks.fit.fit_outcome import (
    Diagnostics,
    FitOutcome,
    FTest,
    LabelFigures,
    ResidualChecks,
    RowInfluence,
)
from gdcli.tasks.fit.loss_statistics import Seen, column
from gdcli.tasks.fit.nesting import whole_test
from gdcli.tasks.fit.prepare import Prepared
from gdcli.tasks.fit.profile_intervals import profile_of
from gdcli.tasks.fit.some_rows import ALL, RowsSeen, Solve, directions, rows_seen
from gdcli.tasks.problem import listed

# Rows that are told of, those that move an answer most first.
MOST = 5
_PROFILES = 4  # that find room in a picture
_RATE = 0.01
_PART = 0.6827
_STEPS = 200
_RARE, _NAMED = (
    0.002,
    3,
)  # below this probability every page says so (of 100 good fits of less than one); and rows


def diagnose(prepared: Prepared, outcome: FitOutcome, solve: Solve) -> Diagnostics | None:
    """Return what the rows tell of an answer; None of one without statistics. ``solve`` solves other fits to them."""
    found = outcome.statistics
    if found is None:
        return None
    x = prepared.row.space.flatten(outcome.point)
    told = Diagnostics(found.errors.p_values, profiles=_profiles(prepared, outcome))
    whole = if_in_time(lambda: whole_test(prepared, outcome, solve), None)
    if whole is not None:
        test, against = FTest(*whole.test[1:]), whole.against
        told = replace(told, model=test, by=whole.test.kind, against=against, rough=not whole.regular)
    if prepared.problem.loss == "logistic":
        return replace(told, labels=_labels(Seen.of(RowObjective(prepared.row, prepared.data), x)))
    seen_rows = rows_seen(prepared, outcome) if prepared.row.residual is not None else None
    if seen_rows is None or found.exact or found.rss is None:
        return told
    influence, points = _influence(prepared, seen_rows, x, found)
    return replace(
        told,
        checks=residual_checks(prepared, x),
        lack_of_fit=lack_of_fit(prepared, seen_rows, found.errors.rank),
        outliers=tuple(prepared.place(int(seen_rows.numbers[i])) for i in rout(seen_rows)),
        influence=influence,
        points=points,
    )


def _profiles(prepared: Prepared, outcome: FitOutcome) -> dict[str, list[tuple[float, float]]] | None:
    """The profiles of the parameters with the most lopsided intervals; None of many rows, and where there are none."""
    profile = None if prepared.problem.subject_to else profile_of(prepared, outcome)
    if profile is None or prepared.data.rows > PIECE:
        return None
    known = [k for k, error in enumerate(profile.errors.standard_errors) if error]
    if len(known) > _PROFILES and prepared.row.errors is None:
        moved = profile.asymmetries()
        known.sort(key=lambda k: -abs(moved[k]))
    return {profile.prepared.row.space.label(k): profile.roots(k) for k in sorted(known[:_PROFILES])}


def residual_checks(prepared: Prepared, x: Vector) -> ResidualChecks | None:
    """Return what the (weighted) residuals of a least-squares fit at x look like; None for other losses.

    Their runs are over the one column of the model, else as the rows stand; so stand always those whose neighbours are
    compared (Durbin and Watson): what does a row leave to the next?
    """
    if prepared.row.residual is None or prepared.row.fitted is None:
        return None
    objective, over = RowObjective(prepared.row, prepared.data), over_of(prepared.row)
    found = [float(r) for values in objective.vectors("jacobian", x) for r in values[-1]]
    weights = [float(w) for _, some in objective.vectors("weighing", x) for w in some]
    rows = [i for i, w in enumerate(weights) if w]  # the others were not fitted
    residuals = [found[i] for i in rows]
    if over is not None:
        rows.sort(key=column(prepared.data, over).__getitem__)
    ordered = [found[i] for i in rows]
    return ResidualChecks(over, runs(ordered), durbin_watson(residuals), anderson_darling(residuals))


def lack_of_fit(prepared: Prepared, seen: RowsSeen, rank: int) -> FTest | None:
    """Return the test of what is left beyond the spread of rows alike in all columns; None where none are alike."""
    names = read_by_formula(prepared.row)
    weighting = [c for c in (prepared.problem.weights, prepared.problem.sigma) if c]
    places: dict[tuple[float, ...], list[float]] = {}
    columns = [column(prepared.data, name) for name in dict.fromkeys([*names, *weighting])]
    for i, r in zip(seen.numbers.tolist(), seen.residuals.tolist(), strict=True):
        places.setdefault(tuple(cells[i] for cells in columns), []).append(r)
    pure = fsum(fsum((r - fsum(same) / len(same)) ** 2 for r in same) for same in places.values())
    rss, n, m = float(seen.residuals @ seen.residuals), len(seen.residuals), len(places)
    if not names or m <= rank or n <= m or not pure > 0.0:
        return None
    statistic = max(0.0, rss - pure) / (m - rank) / (pure / (n - m))
    return FTest(statistic, m - rank, n - m, f_tail(statistic, m - rank, n - m))


def _influence(
    prepared: Prepared, seen: RowsSeen, x: Vector, found: FitStatistics
) -> tuple[tuple[RowInfluence, ...], tuple[tuple[float, float, float], ...]]:
    J, r, h, weights, numbers = seen
    n = len(r)
    sums = RowObjective(prepared.row, prepared.data, float(prepared.data.rows))
    hessian = sums.evaluate(sums.vector(x), 2).hessian
    half = J.T @ J if hessian is None else 0.5 * np.array([list(row) for row in hessian])
    moves = -np.linalg.solve(half, (J * np.sqrt(weights)[:, None]).T)
    rank, rss = found.errors.rank, float(r @ r)
    left = found.rows - rank
    free, away = np.maximum(1.0 - h, ALL), 1.0 - h > ALL
    cook = np.where(away, r * r * h / (rank * (rss / max(1, left)) * free * free), np.inf)
    without = (rss - r * r / free) / (left - 1) if left > 1 else np.full(n, np.nan)
    with np.errstate(all="ignore"):
        student = np.where(away, r / np.sqrt(without * free), np.nan)
    says = sums.all_rows("fitted", x)[0][numbers]
    order = np.argsort(-cook, kind="stable")[:MOST]
    told = tuple(
        RowInfluence(
            prepared.place(int(numbers[i])),
            float(h[i]),
            float(student[i]) if student[i] == student[i] else None,
            float(cook[i]) if away[i] else None,
            tuple(map(float, moves[:, i])),
        )
        for i in order
    )
    shown = np.linspace(0, n - 1, min(n, 300)).round().astype(int)
    points = tuple((float(says[i]), float(student[i]), float(h[i])) for i in shown)
    return told, points


def rout(seen: RowsSeen, rate: float = _RATE) -> list[int]:
    """Return which of the rows are outliers at a false discovery ``rate``, in their order.

    The robust fit is of the linear model of the residuals at the answer.
    """
    J, r = seen.jacobian, seen.residuals
    n, p = J.shape
    if n <= p + 1:
        return []
    left, scale = r, 0.0
    for _ in range(_STEPS):
        new = float(np.sort(abs(left))[min(n - 1, ceil(_PART * n) - 1)]) * n / (n - p)
        if not new > 0.0:
            return []
        root = 1.0 / np.sqrt(1.0 + (left / new) ** 2)
        step, *_ = np.linalg.lstsq(J * root[:, None], -r * root, rcond=None)
        moved = r + J @ step
        if abs(new - scale) <= 1e-10 * new and np.abs(moved - left).max() <= 1e-10 * new:
            break
        left, scale = moved, new
    order = np.argsort(abs(left), kind="stable")
    for i in range(int(0.7 * n), n):
        t = float(abs(left[order[i]])) / scale
        if student_t_two_sided(t, n - p) < rate * (n - i) / n:
            return sorted(int(k) for k in order[i:])
    return []


def _labels(seen: Seen) -> LabelFigures:
    chance, label = np.array(seen.fitted), np.array([float(y > 0.0) for y in seen.measured])
    counts, said = np.array(seen.weights), chance >= 0.5
    told = [float(counts[(label == y) & (said == s)].sum()) for y in (0.0, 1.0) for s in (False, True)]
    confusion = tuple(int(n) if n.is_integer() else n for n in told)
    losses, all_rows = fsum(seen.losses), fsum(seen.weights)
    line = _calibration(chance, label, counts)
    return LabelFigures(
        (told[0] + told[3]) / all_rows, losses / all_rows, _area(chance, label, counts), line, confusion
    )


def _area(chance: Array, label: Array, counts: Array) -> float | None:
    """How often a row of label 1 has the larger chance of two of different labels; ties count half."""
    _, place = np.unique(chance, return_inverse=True)
    ones, zeros = (np.bincount(place, counts * (label == y)) for y in (1.0, 0.0))
    pairs = float(ones.sum() * zeros.sum())
    return float(ones @ (np.cumsum(zeros) - 0.5 * zeros)) / pairs if pairs > 0.0 else None


def _calibration(chance: Array, label: Array, counts: Array) -> tuple[float, float] | None:
    inside = np.clip(chance, 1e-12, 1.0 - 1e-12)
    logits = np.log(inside) - np.log1p(-inside)
    line, X = np.array([0.0, 1.0]), np.stack([np.ones(len(logits)), logits], axis=1)
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-(X @ line)))
        H = (X * (counts * p * (1.0 - p))[:, None]).T @ X
        if np.linalg.cond(H) > 1e12:
            return None
        step = np.linalg.solve(H, X.T @ (counts * (label - p)))
        line = line + step
        if abs(step).max() <= 1e-12:
            break
    return float(line[0]), float(line[1])


def residual_doubts(prepared: Prepared, outcome: FitOutcome) -> tuple[str, ...]:
    """Return what is clearly wrong with the residuals of a fit by least squares: mostly nothing, or one sentence."""
    seen = rows_seen(prepared, outcome)
    if seen is None or outcome.statistics is None:
        return ()
    rank = outcome.statistics.errors.rank
    told, row = _alike(prepared, seen) or _strange(prepared, seen, rank), _most_moving(seen, rank)
    alone = (
        "" if row is None else f"{prepared.place(int(seen.numbers[row]))} alone decides where the answer lies"
    )
    found = "; ".join(filter(None, (told, alone)))
    return (f"residuals: {found}; --diagnostics tells more",) if found else ()


def _most_moving(seen: RowsSeen, rank: int) -> int | None:
    """The row that is met whatever it says; or else is at odds with others, and moves the answer out of its region."""
    r, h = seen.residuals, seen.leverages
    left = len(r) - rank
    if h.max() >= 1.0 - ALL:
        return int(h.argmax())
    squares = r * r / ((1.0 - h) * float(r @ r) / left)  # of the studentised residuals
    cook = squares * h / (rank * (1.0 - h))
    most = int(cook.argmax())
    return most if squares[most] > 4.0 and f_tail(float(cook[most]), rank, left) < _RARE else None


def _strange(prepared: Prepared, seen: RowsSeen, rank: int) -> str:
    if outliers := rout(seen, _RARE):
        named = [prepared.place(int(seen.numbers[i])) for i in outliers[:_NAMED]]
        named += ["others"] * (len(outliers) > _NAMED)
        return f"{listed(named)} far from what is fitted; --loss tukey counts such rows less"
    normality, lack = anderson_darling(seen.residuals.tolist()), lack_of_fit(prepared, seen, rank)
    if normality is not None and normality.p < _RARE:
        return f"not normal (p = {short(normality.p, 2)}): the intervals are rough"
    is_lack = lack is not None and lack.p < _RARE
    return "rows that repeat differ by less (lack of fit): take another model" if is_lack else ""


def _alike(prepared: Prepared, seen: RowsSeen) -> str:
    over, basis = over_of(prepared.row), directions(seen.jacobian).basis
    orders = {"as the rows stand": np.arange(len(seen.residuals))}
    if over is not None:
        cells = np.array(column(prepared.data, over))[seen.numbers]
        orders = {f"over {over}": np.argsort(cells, kind="stable")} | orders
    for told, order in orders.items():
        p = neighbours(seen.residuals[order], basis[order])
        if p < _RARE:
            told += f" are alike (p = {short(p, 2)})"
            return f"neighbours {told}: the model misses something, or rows depend on each other"
    return ""


def neighbours(r: Array, basis: Array) -> float:
    """Return how probable chance makes neighbours of residuals r (n,) as alike as these are.

    ``basis`` (n, p) spans the columns of the Jacobian: with M = 1 - QQ' and A the second differences, the traces of MA
    and of its square are the mean and the variance of r'Ar/r'r (Durbin and Watson 1950, section 3).
    """
    (n, p), inner = basis.shape, np.diff(basis, axis=0)
    whole = np.diff(inner, axis=0, prepend=0.0 * basis[:1], append=0.0 * basis[:1])
    once, left = inner.T @ inner, n - p
    trace = 2.0 * (n - 1) - float(np.trace(once))
    squared = 6.0 * n - 8.0 - 2.0 * float((whole * whole).sum()) + float((once * once).sum())
    mean, variance = trace / left, 2.0 * (left * squared - trace * trace) / (left * left * (left + 2.0))
    away = mean - float((np.diff(r) ** 2).sum() / (r @ r))
    return normal_tail(away / sqrt(variance)) if variance > 0.0 else 1.0
