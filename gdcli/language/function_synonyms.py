"""What functions of other languages, of paper and of other libraries are called here.

A value without braces is another name; with them it is what a call becomes, ``{0}`` being its first argument. A number
after the name is that of arguments which a function does not take here. All of this is looked at only where a text
could not be read.
"""

from __future__ import annotations

FUNCTIONS: dict[str, str] = {
    "log:2": "log({0})/log({1})",
    "atan:2": "atan2({0}, {1})",
    "norm:2": "norm({0})",
    "sum:2": "{0} + {1}",
    "sum:3": "{0} + {1} + {2}",
    "ln": "log",
    "log_e": "log",
    "lg": "log10",
    "log_10": "log10",
    "ld": "log2",
    "lb": "log2",
    "log_2": "log2",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arctan2": "atan2",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
    "arsinh": "asinh",
    "arcosh": "acosh",
    "artanh": "atanh",
    "tg": "tan",
    "arctg": "atan",
    "sh": "sinh",
    "ch": "cosh",
    "th": "tanh",
    "fabs": "abs",
    "absolute": "abs",
    "sgn": "sign",
    "root": "sqrt",
    "ceiling": "ceil",
    "maximum": "max",
    "minimum": "min",
    "fmax": "max",
    "fmin": "min",
    "amax": "max",
    "amin": "min",
    "summation": "sum",
    "Σ": "sum",
    "product": "prod",
    "average": "mean",
    "avg": "mean",
    "inner": "dot",
    "vdot": "dot",
    "magnitude": "norm",
    "logistic": "sigmoid",
    "expit": "sigmoid",
    "logaddexp0": "softplus",
    "gammaln": "lgamma",
    "loggamma": "lgamma",
    "pow": "{0}**{1}",
    "power": "{0}**{1}",
    "square": "{0}**2",
    "exp2": "2**{0}",
    "exp10": "10**{0}",
    "factorial": "gamma({0}+1)",
    "round": "floor({0}+0.5)",
    "rint": "floor({0}+0.5)",
    "trunc": "sign({0})*floor(abs({0}))",
    "fix": "sign({0})*floor(abs({0}))",
    "mod": "({0} - {1}*floor({0}/{1}))",
    "fmod": "({0} - {1}*floor({0}/{1}))",
    "remainder": "({0} - {1}*floor({0}/{1}))",
    "divide": "{0}/{1}",
    "multiply": "{0}*{1}",
    "add": "({0} + {1})",
    "subtract": "({0} - {1})",
    "negative": "(-{0})",
    "reciprocal": "1/{0}",
    "clip": "min(max({0}, {1}), {2})",
    "heaviside": "(sign({0})+1)/2",
    "if": "where({0}, {1}, {2})",
    "iif": "where({0}, {1}, {2})",
    "ifelse": "where({0}, {1}, {2})",
    "sec": "1/cos({0})",
    "csc": "1/sin({0})",
    "cosec": "1/sin({0})",
    "cot": "1/tan({0})",
    "sech": "1/cosh({0})",
    "csch": "1/sinh({0})",
    "coth": "1/tanh({0})",
    "sinc": "sin(pi*{0})/(pi*{0})",
    "erfc": "(1 - erf({0}))",
    "deg2rad": "{0}*pi/180",
    "radians": "{0}*pi/180",
    "rad2deg": "{0}*180/pi",
    "degrees": "{0}*180/pi",
    "float": "{0}",
    "var": "mean(({0} - mean({0}))**2)",
    "std": "sqrt(mean(({0} - mean({0}))**2))",
    "sumsq": "sum({0}**2)",
}
# What stands before the dot of a function of a library.
LIBRARIES = frozenset(
    (
        "np",
        "numpy",
        "jnp",
        "anp",
        "cp",
        "math",
        "cmath",
        "Math",
        "scipy",
        "sp",
        "sympy",
        "torch",
        "tf",
        "ca",
        "casadi",
    )
)
# What sin^-1 is, and those like it.
INVERSES = {
    "sin": "asin",
    "cos": "acos",
    "tan": "atan",
    "sinh": "asinh",
    "cosh": "acosh",
    "tanh": "atanh",
    "exp": "log",
    "log": "exp",
    "ln": "exp",
}
# Characters, with what they are in the language.
CHARACTERS = {
    "√": "sqrt",
    "∛": "cbrt",
    "∑": "sum",
    "∏": "prod",
    "{": "(",
    "}": ")",
    "½": "0.5",
    "¼": "0.25",
    "¾": "0.75",
    "°": "*pi/180",
    **{chr(0x2080 + digit): str(digit) for digit in range(10)},
}
# Words of LaTeX; of the others the backslash goes.
LATEX = {
    "\\cdot": "*",
    "\\times": "*",
    "\\left": "",
    "\\right": "",
    "\\ln": "log",
    "\\le": "<=",
    "\\ge": ">=",
    "$": "",
}
# Operators of other languages, as Python has them.
OPERATORS = {
    ".^": "^",
    ".*": "*",
    "./": "/",
    "&&": "and",
    "||": "or",
    "<>": "!=",
    "=>": ">=",
    "=<": "<=",
    "∧": "and",
    "∨": "or",
}
# And words between two operands.
OPERATOR_WORDS = {"mod": "%", "rem": "%", "div": "//", "times": "*", "\\bmod": "%"}
# What there is to say where no text can be proposed: of words between operands, and of what is called.
_RANGE = "where(x > 0, a, b) chooses between two values; --bounds x=0: keeps a variable in a range"
_ALONE = "write what the function returns, alone: x**2"
_MAKER = "vectors are made in --start and --set: --start 'v=zeros(3)'"
_SLOPE = "gd gradient shows derivatives: gd gradient 'x**2' --at x=1"
_WHOLE = "integrals, limits and the like are not part of the language"
_ALGEBRA = "of matrices there is only X @ w, with the columns of data, in gd fit"
WORDS: dict[str, str] = {
    **dict.fromkeys(("for", "in"), "functions of a vector are written without for: sum(v**2)"),
    **dict.fromkeys(("def", "return", "function"), _ALONE),
    "lambda": f"for a parameter write lam or lambda_; for a function {_ALONE}",
    **dict.fromkeys(
        ("and", "or", "not"), "one where stands inside another: where(a < b, where(c < d, p, q), q)"
    ),
    **dict.fromkeys(("if", "else", "where", "given", "st", "s.t", "such", "subject", "with"), _RANGE),
}
# And of characters.
SYMBOLS: dict[str, str] = {
    "∞": "a bound that is not there is left out: --bounds x=0: for at least 0, x=:5 for at most 5",
    **dict.fromkeys("∈≤≥", "bounds are an option: --bounds x=0:5"),
    **dict.fromkeys("∂∇′", _SLOPE),
    "∫": _WHOLE,
    "→": _WHOLE,
    "‖": "the length of a vector is norm(v)",
    **dict.fromkeys("⌊⌋", "the whole number below is floor(x)"),
    **dict.fromkeys("⌈⌉", "the whole number above is ceil(x)"),
    **dict.fromkeys("±∓", "write out both: one expression with +, one with -"),
    **dict.fromkeys("≈≃≡", "the square of a difference is least where both sides are equal: (a - b)**2"),
    "‰": "write 0.001*x for x per mille",
    "%": "write 0.01*x for x per cent",
    **dict.fromkeys(
        ("\N{COMBINING MACRON}", "\N{COMBINING CIRCUMFLEX ACCENT}"), "give the name letters alone: x_mean"
    ),
}
CALLS: dict[str, str] = {
    **dict.fromkeys(
        ("zeros", "ones", "full", "linspace", "random", "rand", "randn", "arange", "range"), _MAKER
    ),
    **dict.fromkeys(("diff", "derivative", "deriv", "grad", "gradient"), _SLOPE),
    **dict.fromkeys(("integral", "integrate", "int", "quad", "limit", "lim", "solve"), _WHOLE),
    **dict.fromkeys(("det", "inv", "transpose", "matmul", "matrix", "trace", "eig", "outer"), _ALGEBRA),
    **dict.fromkeys(("polyfit", "poly", "polynomial", "polyval"), "write it out: a + b*x + c*x**2"),
    **dict.fromkeys(
        ("len", "size", "length"), "the length of a vector is that of its start; its mean is mean(v)"
    ),
    **dict.fromkeys(("piecewise", "cases", "Piecewise"), _RANGE),
    "argmax": "gd maximize looks for a maximum: gd maximize '-x**2' --start x=1",
}
