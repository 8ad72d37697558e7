"""The piecewise definitions of the special functions; see :mod:`gdcli.language.special`.

Sources: DLMF = NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov, by equation number; others at
their functions. The coefficients are in `special_tables.py`.
"""

from typing import Final

from gdcli.kernel.dataclass import dataclass
from gdcli.language import special_tables as tables


@dataclass(frozen=True)
class Definition:
    """A function of `arguments`: the body of the first piece whose condition is true.

    `blend` is one body for arrays, where all elements can be computed alike, with the same bits: that is faster.
    """

    arguments: tuple[str, ...]
    pieces: tuple[tuple[str | None, str], ...]
    blend: str = ""


def _one(argument: str, *lines: str) -> Definition:
    """A helper of one argument and one piece, for arguments that the caller has already checked."""
    return Definition((argument,), ((None, "\n".join(lines)),))


def _polynomial(coefficients: tuple[float, ...], variable: str) -> str:
    """Horner's rule as text, e.g. `(1.0 + z * (2.0 + z * (3.0)))`."""
    return "(" + f" + {variable} * (".join(map(repr, coefficients)) + ")" * len(coefficients)


# For the pieces of negative x. From 2**52 on every double is an integer, so a pole; nan and -inf fail too.
_NOT_A_POLE = "x > -4503599627370496.0 and floor(x) != x"
_MIDDLE = "w = (x - 1.5811388300841898) / (x + 1.5811388300841898)"

DEFINITIONS: Final[dict[str, Definition]] = {
    # erf: odd power series for |x| < 1 (DLMF 7.6.1), 1 - exp(-x*x)*P((|x|-3)/(|x|+3)) beyond; the variable is
    # that of Shepherd & Laframboise, Math. Comp. 36 (1981) 249. erfc(6) = 2e-17 is below half an ulp of 1.
    "erf": Definition(
        ("x",),
        (
            ("fabs(x) < 1.0", f"z = x * x\nx + x * {_polynomial(tables.ERF, 'z')}"),
            (
                "fabs(x) < 6.0",
                "a = fabs(x)\nt = (a - 3.0) / (a + 3.0)\n"
                f"copysign(1.0 - exp(-x * x) * {_polynomial(tables.ERFC, 't')}, x)",
            ),
            ("x > 0.0", "1.0"),
            ("x < 0.0", "-1.0"),
            (None, "x"),
        ),
    ),
    # sin(pi*y)/pi and pi*cot(pi*y) (DLMF 4.19.1, 4.19.6). y minus the nearest integer n is exact, so they are
    # accurate near their zeros and poles too; sin(pi*y) = (-1)**n * sin(pi*r).
    "_sin_pi": _one(
        "y",
        "n = floor(y + 0.5)",
        "r = (y - n) * (1.0 - 2.0 * (n - 2.0 * floor(0.5 * n)))",
        "z = r * r",
        f"r + r * (z * {_polynomial(tables.SIN_PI, 'z')})",
    ),
    "_pi_cot": _one(
        "y", "r = y - floor(y + 0.5)", "z = r * r", f"1.0 / r - r * {_polynomial(tables.PI_COT, 'z')}"
    ),
    # 1/Gamma(2 + z) is entire and exactly 1 at 0: factorials come out exact.
    "_reciprocal_gamma": _one("z", f"1.0 + z * {_polynomial(tables.RECIPROCAL_GAMMA, 'z')}"),
    # The leading 26 bits (Dekker, Numer. Math. 18 (1971) 224): products of two heads are exact.
    "_head": _one("x", "p = 134217729.0 * x", "p - (p - x)"),
    # Gamma(x)**f * 2**j for 3.5 <= x <= 190, f = 1 or -1, j = 0, 256 or -256 (DLMF 5.11.1, Stirling).
    # exp turns the absolute error of log Gamma, up to 860, into a relative one, so that is computed with 20
    # more bits: with c the power of two next to x and s = (x - c)/(x + c), log(x) = k*log(2) + 2*s +
    # s**3*P(s*s) as the sum of a head gh and a rest gl, then (x - 1/2)*log(x) - x in the same way. (Two calls
    # of pow would be shorter, but 5 ulp away between libraries.)
    "_stirling": Definition(
        ("x", "f", "j"),
        (
            (
                None,
                "k = floor(1.4426950408889634 * log(x) + 0.5)\n"
                "c = floor(exp(0.6931471805599453 * k) + 0.5)\n"
                "a = x - c\nb = x + c\nbh = _head(b)\n"
                "s = a / b\nsh = _head(s)\nsl = (a - sh * bh - sh * (c - bh + x)) / b\nz = s * s\n"
                "kh = 0.6931471803691238 * k\ng = kh + 2.0 * sh\n"
                "r = kh - g + 2.0 * sh + (1.9082149292705877e-10 * k + 2.0 * sl + s * z * "
                f"{_polynomial(tables.LOG, 'z')})\n"
                "gh = _head(g + r)\ngl = g - gh + r\n"
                "u = x - 0.5\nuh = _head(u)\nm = uh * gh\nd = m - x\nt = 1.0 / x\nw = t * t\n"
                "n = d + 0.9189385331701487\n"
                "q = m - d - x + (u * gl + (u - uh) * gh) + (d - n + 0.9189385331701487) + "
                f"(3.45240115023146e-11 + t * {_polynomial(tables.LOG_STIRLING, 'w')})\n"
                "h = n + q\ni = 0.6931471805599453 * j\nv = f * h + i\ne = exp(v)\n"
                "e + e * (f * h - v + i + (2.3190468138462996e-17 * j + f * (n - h + q)))",
            ),
        ),
    ),
    # Gamma for x >= 1/2: recurrence (DLMF 5.5.1) up to 3.5. Gamma of an integer is an integer: up to 17! <
    # 2**49 rounding to it removes the last errors. Beyond 170 a power of two is set apart, since exp may
    # overflow before Gamma does, at 171.62.
    "_gamma_positive": Definition(
        ("x",),
        (
            ("x < 1.5", "1.0 / (x * _reciprocal_gamma(x - 1.0))"),
            ("x < 2.5", "1.0 / _reciprocal_gamma(x - 2.0)"),
            ("x < 3.5", "(x - 1.0) / _reciprocal_gamma(x - 3.0)"),
            ("x < 18.5 and floor(x) == x", "1.0 * floor(_stirling(x, 1.0, 0.0) + 0.5)"),
            ("x < 170.0", "_stirling(x, 1.0, 0.0)"),
            ("x < 172.0", "_stirling(x, 1.0, -256.0) * 1.157920892373162e+77"),
            (None, "inf"),
        ),
    ),
    # Below -3.5 the reflection Gamma(-y) = -1/(y * sin(pi*y)/pi * Gamma(y)) (DLMF 5.5.3). Below -160
    # 1/Gamma(y) may be subnormal although Gamma(-y) is not, so again a power of two is set apart; below -190
    # only the sign of the zero is left.
    "gamma": Definition(
        ("x",),
        (
            ("x >= 0.5", "_gamma_positive(x)"),
            ("x == 0.0", "copysign(inf, x)"),
            ("x > -0.5", "1.0 / (x * (1.0 + x) * _reciprocal_gamma(x))"),
            ("x > -1.5 and floor(x) != x", "1.0 / (x * (1.0 + x) * (2.0 + x) * _reciprocal_gamma(1.0 + x))"),
            (
                "x > -2.5 and floor(x) != x",
                "1.0 / (x * (1.0 + x) * ((2.0 + x) * (3.0 + x)) * _reciprocal_gamma(2.0 + x))",
            ),
            (
                "x > -3.5 and floor(x) != x",
                "1.0 / (x * (1.0 + x) * ((2.0 + x) * (3.0 + x)) * (4.0 + x) * _reciprocal_gamma(3.0 + x))",
            ),
            ("x > -160.0 and floor(x) != x", "_stirling(-x, -1.0, 0.0) / (x * _sin_pi(-x))"),
            (
                "x > -190.0 and floor(x) != x",
                "_stirling(-x, -1.0, 256.0) / (x * _sin_pi(-x)) * 8.636168555094445e-78",
            ),
            (_NOT_A_POLE, "copysign(0.0, x * _sin_pi(-x))"),
            (None, "nan"),
        ),
    ),
    # log(Gamma(2 + z)) with its zeros at z = 0 and -1 as factors; z/(z + 4) moves the singularity at z = -2
    # far away.
    "_lgamma2": _one("z", "w = z / (z + 4.0)", f"z * (1.0 + z) * {_polynomial(tables.LGAMMA, 'w')}"),
    # Stirling (DLMF 5.11.1) from 5 on, arranged as in FDLIBM's e_lgamma_r.c; the recurrence below 5/4.
    "_lgamma_positive": Definition(
        ("x",),
        (
            ("x < 1.25", "_lgamma2(x - 1.0) - log1p(x - 1.0)"),
            ("x < 3.0", "_lgamma2(x - 2.0)"),
            ("x < 5.0", "log(_gamma_positive(x))"),
            (
                None,
                "t = 1.0 / x\nw = t * t\n(x - 0.5) * (log(x) - 1.0)"
                f" + (0.4189385332046727 + t * {_polynomial(tables.LOG_STIRLING, 'w')})",
            ),
        ),
    ),
    # Between its poles down to -20 log|Gamma| itself, then the logarithm of the reflection formula. (Beyond
    # -17 the zeros are nearer to the poles than doubles are to each other.)
    "lgamma": Definition(
        ("x",),
        (
            ("x >= 0.5", "_lgamma_positive(x)"),
            ("x == 0.0", "inf"),
            ("x > -0.5", "_lgamma2(x) - log(fabs(x) * (1.0 + x))"),
            ("x >= -20.0 and floor(x) != x", "log(fabs(gamma(x)))"),
            (_NOT_A_POLE, "-log(fabs(x * _sin_pi(-x))) - _lgamma_positive(-x)"),
            ("x < 0.0", "inf"),
            (None, "x"),
        ),
    ),
    # digamma for x >= 1: up to 2.5 its root, known to twice the precision, is a factor; then DLMF 5.11.2.
    "_digamma_positive": Definition(
        ("x",),
        (
            (
                "x < 2.5",
                f"{_MIDDLE}\n"
                f"(x - 1.4616321449683622 - 9.549995429965697e-17) * {_polynomial(tables.DIGAMMA, 'w')}",
            ),
            (
                None,
                f"t = 1.0 / x\nw = t * t\nlog(x) - (0.5 * t + w * {_polynomial(tables.DIGAMMA_TAIL, 'w')})",
            ),
        ),
    ),
    # Recurrence (DLMF 5.5.2) below 1, reflection (5.5.4) below 0.
    "digamma": Definition(
        ("x",),
        (
            ("x >= 1.0", "_digamma_positive(x)"),
            ("x > 0.0", "_digamma_positive(1.0 + x) - 1.0 / x"),
            ("x == 0.0", "-copysign(inf, x)"),
            (_NOT_A_POLE, "_digamma_positive(1.0 - x) + _pi_cot(-x)"),
            (None, "nan"),
        ),
    ),
    # trigamma for x >= 1: x * psi'(x) up to 2.5, then DLMF 5.15.8.
    "_trigamma_positive": Definition(
        ("x",),
        (
            ("x < 2.5", f"{_MIDDLE}\n{_polynomial(tables.TRIGAMMA, 'w')} / x"),
            (None, f"t = 1.0 / x\nw = t * t\nt + w * (0.5 + t * {_polynomial(tables.TRIGAMMA_TAIL, 'w')})"),
        ),
    ),
    # Recurrence (DLMF 5.15.5) below 1, reflection (5.15.6) below 0. Dividing twice, since x*x may be zero.
    "trigamma": Definition(
        ("x",),
        (
            ("x >= 1.0", "_trigamma_positive(x)"),
            ("x > 0.0", "_trigamma_positive(1.0 + x) + 1.0 / x / x"),
            (_NOT_A_POLE, "s = _sin_pi(-x)\n1.0 / s / s - _trigamma_positive(1.0 - x)"),
            ("x > -inf", "inf"),
            (None, "nan"),
        ),
    ),
    # Only the far ends need scaling, by 2**600 and 2**-600 (exact); the plain root is within one ulp (Borges,
    # ACM TOMS 47 (2020) 9). inf wins over nan, as in IEEE 754, 9.2.1.
    "hypot": Definition(
        ("x", "y"),
        (
            ("fabs(x) == inf", "inf"),
            ("fabs(y) == inf", "inf"),
            (
                "fabs(x) + fabs(y) > 1e150",
                "a = x * 2.409919865102884e-181\nb = y * 2.409919865102884e-181\n"
                "sqrt(a * a + b * b) * 4.149515568880993e+180",
            ),
            (
                "fabs(x) + fabs(y) < 1e-140",
                "a = x * 4.149515568880993e+180\nb = y * 4.149515568880993e+180\n"
                "sqrt(a * a + b * b) * 2.409919865102884e-181",
            ),
            (None, "sqrt(x * x + y * y)"),
        ),
    ),
    # A first guess by logarithms, cut to 26 bits so that its square is exact, then the correction of FDLIBM's
    # s_cbrt.c, whose error is cubic.
    "cbrt": Definition(
        ("x",),
        (
            (
                "fabs(x) > 0.0 and fabs(x) < inf",
                "a = fabs(x)\nh = _head(exp(log(a) / 3.0))\nr = a / (h * h)\n"
                "copysign(h + h * ((r - h) / (h + h + r)), x)",
            ),
            (None, "x"),
        ),
    ),
    # exp only of what is <= 0; Maechler, "Accurately computing log(1 - exp(-|a|))", 2012, for softplus.
    "sigmoid": Definition(
        ("x",),
        (("x >= 0.0", "1.0 / (1.0 + exp(-x))"), (None, "e = exp(x)\ne / (1.0 + e)")),
        "exp(np.minimum(x, 0.0)) / (1.0 + exp(copysign(x, -1.0)))",
    ),
    "softplus": Definition(
        ("x",),
        (("x > 0.0", "x + log1p(exp(-x))"), (None, "log1p(exp(x))")),
        "np.maximum(x, 0.0) + log1p(exp(copysign(x, -1.0)))",
    ),
}
