"""Special functions, each written once and printed for every runner.

`math` has no `sigmoid`, `digamma` or `softplus` and raises where IEEE 754 says inf or nan; numpy has no `erf`
and no `gamma`. So this module holds each function as a *piecewise definition*: an ordered list of (condition,
body); the first true condition decides, the last one is None. The texts are plain arithmetic with one meaning
for a float and for a numpy array. From one definition `scalar_source` writes an if-chain (for CPython and
for a compiler that knows floats, `if`, arithmetic and calls) and `array_source` writes masks, each piece
evaluated on its own elements only. Both do the same operations in the same order; their results differ only
where the exp and log of numpy and of the C library differ in the last bit (at most 2 ulp of the result).

Rules for the texts:

- Names: the arguments; `MATH_NAMES`, which the caller binds (`floor` may return an int); functions that stand
  earlier in the table. A body is lines of assignments and, last, the value. `and` joins comparisons; in the
  scalar text the right one is evaluated only if the left one is true.
- A piece never leaves the domain of what it calls: no exp that overflows, no log at <= 0, no floor of inf or
  nan, no division by zero. CPython would raise there.
- Subtractions that reduce an argument (x - 2, y - floor(y + 0.5)) are exact, so results keep their relative
  accuracy at zeros and poles. A compiler must not reorder or contract the arithmetic.

Worst errors found against mpmath in several runs of 1500 to 15 000 random points in each part of the
range (glibc 2.36, numpy 2.4 with AVX-512), in units in the last place (ulp) of the result:

    erf 1.1   gamma, x > 0: 3.2   gamma, x < 0: 3.6   lgamma, x > 0: 2.6   digamma, x > 0: 2.7
    lgamma, -2 < x < 0: 3.9   trigamma, x > 0: 2.3   trigamma, x < 0: 3.6   hypot 1.1   cbrt 0.7
    sigmoid 1.9   softplus 1.4

At their negative zeros (lgamma: x < -2, digamma: x < 0) two terms cancel or log is taken of a number near 1.
There the error is small only against the terms: at most 2.2 ulp of max(1, |lgamma(x)|) and 3.4 ulp of
max(1, |digamma(1 - x)|, |pi*cot(pi*x)|) in 16 000 points. Relative to the result it is unbounded.

Sources: DLMF = NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov, by equation number; others at
their functions.
"""

import re
from typing import Final

from gdcli.kernel.dataclass import dataclass

# -- coefficients ------------------------------------------------------------------------------------------------------

# One polynomial per table, lowest power first; the line above it says which function it approximates, in which variable
# and where. All were computed for this project: the function was taken from mpmath at 60 digits in the Chebyshev nodes
# of the interval, interpolated there, and the coefficients of the powers were rounded to doubles. Such a polynomial is
# within a small factor of the best one (Trefethen, Approximation Theory and Approximation Practice, 2013, theorem
# 16.1). Its error, relative to the tabulated function, is the number after each description; where that is more than
# 2e-17 the table makes up only a small part of the result.
# fmt: off
# erf(x)/x - 1 in x*x, 0 <= x <= 1: 2e-17
ERF: Final = (
    0.1283791670955126, -0.3761263890318375, 0.11283791670954879, -0.026866170645076792,
    0.0052239776248180145, -0.000854832698083379, 0.0001205533111164271, -1.4925595266831182e-05,
    1.6461000484121368e-06, -1.6350312701054695e-07, 1.4659775274047435e-08, -1.1372848856791672e-09,
    5.957176147748909e-11,
)
# exp(x*x) * erfc(x) in (x - 3)/(x + 3), 1 <= x <= 6: 6e-17
ERFC: Final = (
    0.17900115118138996, -0.3262335600430372, 0.24560380171233487, -0.15011593650077898, 0.07166583719747308,
    -0.024392499318915004, 0.004269136356961225, 0.0007077464666941425, -0.0005970624964924544,
    4.525434558991009e-05, 6.406279226046039e-05, -1.2845780030775907e-05, -8.00978093907608e-06,
    2.0135111426447427e-06, 1.2755818949624478e-06, 3.381355142042904e-09,
)
# (1/Gamma(2 + z) - 1)/z in z, |z| <= 1/2: 9e-18
RECIPROCAL_GAMMA: Final = (
    -0.42278433509846713, -0.23309373642178682, 0.1910911013876915, -0.024552490005389484,
    -0.017645244550145045, 0.00802327302181223, -0.0008043297755726532, -0.00036083780758359004,
    0.00014559614153527502, -1.7545944577054136e-05, -2.5889890905732797e-06, 1.338946101397965e-06,
    -2.0550559302787053e-07, -1.347112306477144e-09, 6.359868557385367e-09,
)
# (log((1 + s)/(1 - s)) - 2*s)/s**3 in s*s, |s| <= 3 - 2*sqrt(2): 3e-18
LOG: Final = (
    0.6666666666666666, 0.4000000000000088, 0.28571428570800655, 0.222222223923837, 0.1818179556858993,
    0.15386243592665438, 0.1326866900510617, 0.13087714747444754,
)
# log(Gamma(2 + z))/(z*(1 + z)) in z/(z + 4), -3/4 <= z <= 1: 9e-19
LGAMMA: Final = (
    0.42278433509846713, -0.4012692066974157, 0.12617080324107738, -0.13897748719615585, 0.08293806015337037,
    -0.0871563905304875, 0.062323224534209604, -0.06410725675167098, 0.04993339664815968, -0.0508339820866016,
    0.04164031229520768, -0.042149159827420235, 0.03571479490961238, -0.03620219535943166,
    0.030938568597079497, -0.028869979573463586, 0.032232255968199786, -0.0454209819338098,
)
# x * (log Gamma(x) - (x - 1/2)*(log(x) - 1) - (log(2*pi) - 1)/2) in 1/(x*x), x >= 3.5: 2e-17
LOG_STIRLING: Final = (
    0.08333333333333333, -0.0027777777777717367, 0.0007936507906473886, -0.0005952375053634805,
    0.0008416904694191693, -0.0019138415804160203, 0.006265212339226085, -0.025674415950215457,
    0.10604139960044649, -0.3353648060815113, 0.5464937209598378,
)
# psi(x)/(x - root) in (x - c)/(x + c), 1 <= x <= 2.5, c = sqrt(2.5): 2e-17
DIGAMMA: Final = (
    0.9181914921116767, -1.2248559852099277, 0.8537870255299077, -0.9019791828591801, 0.8516116636879326,
    -0.8765590122162962, 0.8579202707069093, -0.8711301279362396, 0.8609906448694215, -0.8689499144579269,
    0.8624816330295906, -0.8677841097613306, 0.8645485764245807, -0.8683353383812523, 0.8414217981131563,
    -0.8442139843036804, 1.0906094979095289, -1.093264592308725,
)
# (log(x) - 1/(2*x) - psi(x)) * x*x in 1/(x*x), x >= 2.5: 8e-16
DIGAMMA_TAIL: Final = (
    0.08333333333333327, -0.008333333333172483, 0.003968253901552652, -0.00416665557903569,
    0.00757477549722642, -0.021039257059441367, 0.08136951608846024, -0.3915349469942102, 2.016786013045321,
    -9.536092238872513, 36.41519197731652, -100.25800443847491, 172.6794985351525, -138.07531918308626,
)
# x * psi'(x) in (x - c)/(x + c), 1 <= x <= 2.5, c = sqrt(2.5): 2e-17
TRIGAMMA: Final = (
    1.3785989823623535, -0.8677250184754708, 1.0549422468824203, -1.1730389240834571, 1.2317653184446828,
    -1.2547915357359838, 1.2621003689010808, -1.264144012230637, 1.2647078724061305, -1.2648603242091763,
    1.2648457614559907, -1.2648556352604035, 1.2666319428414052, -1.2666325328658234, 1.2320264748599732,
    -1.2320265142700415, 1.5961224056810677, -1.5961224087066133,
)
# (psi'(x) - 1/x - 1/(2*x*x)) * x**3 in 1/(x*x), x >= 2.5: 2e-15
TRIGAMMA_TAIL: Final = (
    0.16666666666666635, -0.03333333333246799, 0.02380952339730957, -0.03333325446842657, 0.07574951104199,
    -0.252603844995353, 1.1448832565503535, -6.420249311087642, 39.138496471599325, -226.09887893901546,
    1104.4572704649725, -4164.706580074971, 11076.665596235533, -18255.33443312368, 13923.004173617019,
)
# (sin(pi*r)/(pi*r) - 1)/(r*r) in r*r, |r| <= 1/2: 2e-18
SIN_PI: Final = (
    -1.6449340668482264, 0.8117424252833519, -0.19075182412194128, 0.026147847813078808,
    -0.0023460809634923995, 0.00014842817816693618, -6.972960555564221e-06, 2.459180384815939e-07,
)
# (1/r - pi*cot(pi*r))/r in r*r, |r| <= 1/2: 1e-16
PI_COT: Final = (
    3.2898681336964524, 2.1646464674228825, 2.0346861238117984, 2.008154728387878, 2.0019883034248793,
    2.000518936603734, 1.9995769729712816, 2.007534789558698, 1.9286243259066183, 2.473097263352889,
    -0.16332717285220996, 8.601922980317251, -10.45296952441866, 13.937292745877688,
)
# fmt: on


# -- definitions -------------------------------------------------------------------------------------------------------


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
            ("fabs(x) < 1.0", f"z = x * x\nx + x * {_polynomial(ERF, 'z')}"),
            (
                "fabs(x) < 6.0",
                "a = fabs(x)\nt = (a - 3.0) / (a + 3.0)\n"
                f"copysign(1.0 - exp(-x * x) * {_polynomial(ERFC, 't')}, x)",
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
        f"r + r * (z * {_polynomial(SIN_PI, 'z')})",
    ),
    "_pi_cot": _one("y", "r = y - floor(y + 0.5)", "z = r * r", f"1.0 / r - r * {_polynomial(PI_COT, 'z')}"),
    # 1/Gamma(2 + z) is entire and exactly 1 at 0: factorials come out exact.
    "_reciprocal_gamma": _one("z", f"1.0 + z * {_polynomial(RECIPROCAL_GAMMA, 'z')}"),
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
                f"{_polynomial(LOG, 'z')})\n"
                "gh = _head(g + r)\ngl = g - gh + r\n"
                "u = x - 0.5\nuh = _head(u)\nm = uh * gh\nd = m - x\nt = 1.0 / x\nw = t * t\n"
                "n = d + 0.9189385331701487\n"
                "q = m - d - x + (u * gl + (u - uh) * gh) + (d - n + 0.9189385331701487) + "
                f"(3.45240115023146e-11 + t * {_polynomial(LOG_STIRLING, 'w')})\n"
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
    "_lgamma2": _one("z", "w = z / (z + 4.0)", f"z * (1.0 + z) * {_polynomial(LGAMMA, 'w')}"),
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
                f" + (0.4189385332046727 + t * {_polynomial(LOG_STIRLING, 'w')})",
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
                f"{_MIDDLE}\n(x - 1.4616321449683622 - 9.549995429965697e-17) * {_polynomial(DIGAMMA, 'w')}",
            ),
            (
                None,
                f"t = 1.0 / x\nw = t * t\nlog(x) - (0.5 * t + w * {_polynomial(DIGAMMA_TAIL, 'w')})",
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
            ("x < 2.5", f"{_MIDDLE}\n{_polynomial(TRIGAMMA, 'w')} / x"),
            (None, f"t = 1.0 / x\nw = t * t\nt + w * (0.5 + t * {_polynomial(TRIGAMMA_TAIL, 'w')})"),
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


# -- printed for every runner ------------------------------------------------------------------------------------------

MATH_NAMES: Final = ("copysign", "exp", "fabs", "floor", "inf", "log", "log1p", "nan", "sqrt")


NAMES: Final = tuple(name for name in DEFINITIONS if not name.startswith("_"))


def dependencies(name: str) -> tuple[str, ...]:
    """The other functions of this module that the text of `name` calls, directly or not, callees first."""
    needed = {name}
    for other in reversed(DEFINITIONS):  # a text calls only functions that stand before it
        if other in needed:
            needed.update(_words(other) & DEFINITIONS.keys())
    return tuple(other for other in DEFINITIONS if other in needed and other != name)


def scalar_source(name: str) -> str:
    """The definition of `name` for floats: `if`, assignment, arithmetic, `return`, calls; it never raises."""
    definition = DEFINITIONS[name]
    lines = [f"def {name}({', '.join(definition.arguments)}):"]
    for condition, body in definition.pieces:
        indent = "    "
        for comparison in condition.split(" and ") if condition else ():
            lines.append(f"{indent}if {comparison}:")
            indent += "    "
        lines += [indent + line for line in _returning(body)]
    return "\n".join(lines) + "\n"


def array_source(name: str) -> str:
    """The definition of `name` for numpy arrays of any shape (arguments broadcast); the caller binds `np`.

    A scalar argument gives a numpy scalar. The caller silences warnings with `np.errstate(all="ignore")`: the
    conditions are evaluated on all elements.
    """
    definition = DEFINITIONS[name]
    arguments = ", ".join(definition.arguments)
    if definition.blend or len(definition.pieces) == 1:
        return _array_piece(name, arguments, definition.blend or definition.pieces[0][1])
    parts, main = [], [f"def {name}({arguments}):"]
    main += [f"    {each} = np.asarray({each}, dtype=np.float64)" for each in definition.arguments]
    if len(definition.arguments) > 1:
        main.append(f"    {arguments} = np.broadcast_arrays({arguments})")
    selected = ", ".join(f"{argument}[mask]" for argument in definition.arguments)
    first = definition.arguments[0]
    main += [f"    out = np.empty({first}.shape)", f"    rest = np.ones({first}.shape, dtype=np.bool_)"]
    for number, (condition, body) in enumerate(definition.pieces):
        piece = f"{name}_{number}" if name.startswith("_") else f"_{name}_{number}"
        parts.append(_array_piece(piece, arguments, body))
        if condition is None:
            main += ["    mask = rest", f"    out[mask] = {piece}({selected})", "    return out[()]"]
            break
        masks = " & ".join(f"({_numpy(comparison)})" for comparison in condition.split(" and "))
        main += [
            f"    mask = rest & {masks}",
            "    count = np.count_nonzero(mask)",
            "    if count == out.size:",  # the usual case for a large array: one piece, nothing copied
            f"        out[...] = {piece}({arguments})",
            "        return out[()]",
            "    if count:",
            f"        out[mask] = {piece}({selected})",
            "        rest &= ~mask",
        ]
    return "".join(parts) + "\n".join(main) + "\n"


def _words(name: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_]\w*", " ".join(f"{c} {body}" for c, body in DEFINITIONS[name].pieces)))


def _returning(body: str) -> list[str]:
    *assignments, value = body.split("\n")
    return [*assignments, f"return {value}"]


def _numpy(text: str) -> str:
    return re.sub(rf"\b({'|'.join(MATH_NAMES)})\b", r"np.\1", text)


def _array_piece(name: str, arguments: str, body: str) -> str:
    return "\n    ".join([f"def {name}({arguments}):", *map(_numpy, _returning(body))]) + "\n"
