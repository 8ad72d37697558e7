"""Random expressions of the language, as text, for hypothesis."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st

from gdcli.language.functions import FUNCTIONS, INTERNAL

STABLE = settings(derandomize=True, deadline=None)

SCALARS = ("x", "y", "z")
ONE = [*sorted(name for name, row in FUNCTIONS.items() if row.arity == 1 and name not in INTERNAL), "relu"]
TWO = sorted(name for name, row in FUNCTIONS.items() if row.arity == 2)
RELATIONS = ("<", "<=", ">", ">=", "==", "!=")
SMOOTH_ONE = [name for name in ONE if name != "relu" and not FUNCTIONS[name].kink]

NUMBERS = st.one_of(
    st.sampled_from(["0", "1", "2", "3", "0.5", "10", "1e-3", "pi", "e"]),
    st.floats(min_value=0.01, max_value=100).map(lambda a: repr(round(a, 3))),
)
POWERS = st.sampled_from(
    ["0", "1", "2", "3", "4", "5", "(-1)", "(-2)", "0.5", "(1/3)", "(1+1)", "1.5", "x", "(y+2)"]
)


def scalars(
    one: list[str] | None = None, two: list[str] | None = None, choices: bool = True, leaves: int = 12
) -> st.SearchStrategy[str]:
    """Scalar expressions of x, y and z. A choice always depends on a variable."""
    one, two = ONE if one is None else one, TWO if two is None else two
    leaf = st.one_of(st.sampled_from(SCALARS), st.sampled_from(SCALARS), NUMBERS)

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        kinds = [
            st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
            inner.map(lambda a: f"(-{a})"),
            st.tuples(inner, POWERS).map(lambda t: f"({t[0]} ** {t[1]})"),
            st.tuples(st.sampled_from(one), inner).map(lambda t: f"{t[0]}({t[1]})"),
        ]
        if two:
            kinds.append(
                st.tuples(st.sampled_from(two), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})")
            )
        if choices:
            condition = st.tuples(st.sampled_from(SCALARS), inner, st.sampled_from(RELATIONS))
            kinds.append(
                st.tuples(condition, inner, inner).map(
                    lambda t: f"where({t[0][0]} {t[0][2]} {t[0][1]}*{t[0][0]}, {t[1]}, {t[2]})"
                )
            )
        return st.one_of(kinds)

    return st.recursive(leaf, grow, max_leaves=leaves)


def with_vectors(leaves: int = 8) -> st.SearchStrategy[str]:
    """Scalar expressions of the vectors u and v, the constants c (4 elements each) and the scalar x."""
    leaf = st.sampled_from(["u", "v", "c", "x", "2", "u[1]", "v[-1]", "0.5", "v", "u"])

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
            st.tuples(st.sampled_from(ONE), inner).map(lambda t: f"{t[0]}({t[1]})"),
            st.tuples(inner, st.sampled_from("234")).map(lambda t: f"({t[0]} ** {t[1]})"),
            st.tuples(inner, inner, inner).map(lambda t: f"where(u < {t[0]}, {t[1]}, {t[2]})"),
            st.tuples(inner, inner).map(lambda t: f"max({t[0]}, {t[1]})"),
            st.tuples(st.sampled_from(["sum", "mean", "norm", "prod", "max", "min"]), inner).map(
                lambda t: f"{t[0]}({t[1]} + u)"
            ),
            inner.map(lambda a: f"dot(v, {a} * u)"),
        )

    return st.recursive(leaf, grow, max_leaves=leaves).map(lambda a: f"sum({a} + 0*v)")
