"""Texts that are no expressions, and what is said of them."""

from __future__ import annotations

from gdcli.language.syntax import Node


def shown(node: Node) -> str:
    """A node as text, fully bracketed."""
    args = [shown(a) for a in node.args]
    symbols = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**", "matmul": "@"}
    if node.op == "number":
        return repr(node.value)
    if node.op == "name":
        return str(node.value)
    if node.op == "neg":
        return f"(-{args[0]})"
    if node.op in symbols:
        return f"({args[0]} {symbols[node.op]} {args[1]})"
    if node.op == "where":
        return f"where({args[0]} {node.value} {args[1]}, {args[2]}, {args[3]})"
    if node.op == "index":
        return f"{node.value[0]}[{node.value[1]}]"
    if node.op == "slice":
        return f"{node.value[0]}[{picked(node.value[1:])}]"
    if node.op == "part":
        return f"({args[0]})[{','.join(map(picked, node.value))}]"
    if node.op == "transpose":
        return f"({args[0]}).T"
    return f"{node.value}({', '.join(args)})"


def picked(pick: int | tuple[int | None, ...]) -> str:
    return str(pick) if isinstance(pick, int) else ":".join("" if b is None else str(b) for b in pick)


HOSTILE = {
    "import": "__import__('os').system('x')",
    "attribute": "x.__class__",
    "attribute of a number": "(1).real",
    "lambda": "(lambda: 0)()",
    "comprehension": "[a for a in v]",
    "generator": "sum(a for a in v)",
    "dunder": "__builtins__",
    "string": '"x"',
    "f-string": 'f"{x}"',
    "walrus": "(x := 1)",
    "keyword argument": "f(x=1)",
    "star": "f(**x)",
    "await": "await x",
    "yield": "(yield)",
    "statement": "x; y",
    "assignment": "x = 1",
    "backslash": "x + \\\n y",
    "null": "x + \0",
    "surrogate": "x + \ud800",
    "surrogate in a name": "x\udfff",
    "bidi": "x + \u202e y",
    "zero width": "x\u200by",
    "byte order mark": "\ufeffx",
    "ellipsis": "...",
    "complex": "1j",
    "bytes": "b'x'",
    "hexadecimal": "0x10",
    "tower": "9**9**9**9",
    "left tower": "((9**9)**9)**9**9",
    "negative tower": "x + (-9)**9**9**9",
    "parentheses": "(" * 10_000 + "x" + ")" * 10_000,
    "open parentheses": "(" * 1_000_000,
    "closing parentheses": ")" * 1_000_000,
    "brackets": "[" * 10_000,
    "calls": "sin(" * 10_000 + "x" + ")" * 10_000,
    "signs": "-" * 10_000 + "x",
    "signs in brackets": ("-" * 99 + "(") * 99 + "x" + ")" * 99,
    "powers": "x**" * 1_000 + "x",
    "powers in brackets": ("x**" * 90 + "(") * 90 + "x" + ")" * 90,
    "signed powers": "x**-" * 99 + "(" + "x**-" * 99 + "(" + "x**-" * 99 + "x))",
    "chain": "+".join("x" * 3_000),
    "comparisons": "where(" + "<".join("x" * 1_500) + ", 1, 2)",
    "digits": "1" * 401,
    "long number": "1" * 1_000_000,
    "long name": "a" * 1_000_000,
    "long name with a superscript": "a" * 999_999 + "²",
    "long exponent": "1e" + "9" * 300,
    "long text": "x+" * 500_000 + "x",
    "too long text": "x" * 1_000_001,
    "spaces": " " * 1_000_000,
    "comment": "#" * 1_000_000,
    "commas": "f(" + "x," * 499_990 + "x)",
    "underscores": "1" + "_" * 999_999,
    "dots": "." * 1_000_000,
    "quotes": "'" * 1_000_000,
    "colons": "v[" + ":" * 999_990 + "]",
    "line breaks": "\n" * 999_999 + ")",
    "wide": "漢" * 1_000_000,
}
