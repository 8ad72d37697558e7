"""Products with constant matrices: one node each, with derivatives of every order, and clear words where they do not
fit.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gdcli import api
from gdcli.calculus.trace import trace
from gdcli.kernel.errors import UsageError
from gdcli.language import form, interpreter
from gdcli.language.syntax import parse
from gdcli.language.values import read_values
from gdcli.objective.build import build_objective

EXPRESSIONS = (
    "w @ D @ w",
    "sum(exp(D @ w*0.1)) + w @ D @ w",
    "sum(sin(D @ w)*w) + max(D @ w)",
    "w @ (D @ D) @ w + w @ w",
    "sum(where(w > 0, D @ w, w**2))",
    "mean(D @ sin(w)) + norm(w @ D)",
    "sum(D @ w)",
    "t*(w @ D @ w) + sum(D @ (t*w))",
    "sum((t*D/2 @ w)**2) + sum((-D + 2*abs(D)) @ w)",
    "w @ (D @ w)**2",
    "D[1] @ w + D[0,-1]*sum(w**2) + sum(D[:,2]*sin(w))",
    "w.T @ D.T @ w + sum(exp(0.1*transpose(D) @ w))",
    "sum((D[1:3] @ w)**2) + sum((D[::2,:] @ w)**2) + D.T[0] @ w**2 + D[1][0]*w[0]",
    "(t*D)[1] @ w + sum((t*D)[:2] @ w) + (D @ D)[0,1]*t + (t*D)[0,1]*w[1]",
)

# What is picked of a matrix, as numpy has it.
PICKED = (
    ("A[1]", lambda A: A[1]),
    ("A[-1]", lambda A: A[-1]),
    ("A[0,2] + 0*x", lambda A: [A[0, 2]] * 3),
    ("A[:,1]", lambda A: A[:, 1]),
    ("A[1,:]", lambda A: A[1, :]),
    ("A[1,::2]", lambda A: A[1, ::2]),
    ("A[:2][1]", lambda A: A[1]),
    ("A[:,1:].T[0]", lambda A: A[:, 1]),
    ("transpose(A)[2]", lambda A: A[:, 2]),
    ("A.T.T[0]", lambda A: A[0]),
    ("A[1][1:]", lambda A: A[1, 1:]),
    ("A[1].T", lambda A: A[1]),
    ("A[1:] @ x", lambda A: A[1:] @ [1.0, 2.0, 3.0]),
    ("x @ A.T", lambda A: A @ [1.0, 2.0, 3.0]),
    ("(A.T @ A)[1]", lambda A: (A.T @ A)[1]),
)


def objective(text: str, n: int) -> tuple[Any, dict[str, Any]]:
    draw = random.Random(n)
    rows = [[draw.gauss(0.0, 1.0) for _ in range(n)] for _ in range(n)]
    tree = parse(text)
    lengths = {name: None if name == "t" else n for name in tree.names if name != "D"}
    return build_objective(tree, lengths, {"D": rows}, 1), {"D": rows}


@pytest.mark.parametrize("n", [3, 40])
@pytest.mark.parametrize("text", EXPRESSIONS)
def test_values_and_derivatives_are_right(text: str, n: int) -> None:
    made, constants = objective(text, n)
    draw = random.Random(7)
    flat = [draw.gauss(0.0, 1.0) for _ in range(made.size)]
    way = [draw.gauss(0.0, 1.0) for _ in range(made.size)]
    x, h = made.vector(flat), 1e-6
    at = made.evaluate(x, 1)
    walked = interpreter.value(parse(text), {**made.space.unflatten(x), **constants})
    assert at.value == pytest.approx(walked, rel=1e-12)
    up, down = (
        made.evaluate(made.vector([a + s * h * d for a, d in zip(flat, way, strict=True)]), 1)
        for s in (1, -1)
    )
    slope = sum(g * d for g, d in zip(at.gradient, way, strict=True))
    assert (up.value - down.value) / (2 * h) == pytest.approx(slope, rel=1e-6, abs=1e-6)
    quotient = [(a - b) / (2 * h) for a, b in zip(up.gradient, down.gradient, strict=True)]
    product = made.product(at, made.vector(way))
    assert list(product) == pytest.approx(quotient, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("kind", ["list", "array"])
@pytest.mark.parametrize(("text", "picked"), PICKED)
def test_parts_of_matrices_are_those_of_numpy(text: str, picked: Callable[[Any], Any], kind: str) -> None:
    A = np.arange(6.0).reshape(2, 3) ** 2
    constants = {"A": A if kind == "array" else A.tolist(), "x": [1.0, 2.0, 3.0]}
    tree, expected = parse(text), list(picked(A))
    assert interpreter.any_value(tree, constants) == pytest.approx(expected)
    for expand in (False, True):
        made = form.build(parse(f"dot({text}, v)"), {"v": len(expected)}, constants, expand)
        walked = interpreter.value(made.tree, {**constants, "v": [1.0, 10.0, 100.0][: len(expected)]})
        assert walked == pytest.approx(sum(a * 10.0**i for i, a in enumerate(expected)))


def test_elements_of_a_product_are_those_of_a_row() -> None:
    with pytest.raises(UsageError) as caught:
        form.build(parse("(A @ x)[0]"), {"x": 2}, {"A": [[1.0, 2.0], [3.0, 4.0]]})
    assert "A[0] @ x is (A @ x)[0]" in caught.value.hint


def test_the_graph_is_as_small_for_any_size() -> None:
    sizes = set()
    for n in (40, 60):
        made, _ = objective("w @ D @ w - sum(w)", n)
        assert made.product(made.evaluate(made.vector([1.0] * n), 1), made.vector([1.0] * n)) is not None
        sizes.add(len(made.form.graph.keys))
    assert len(sizes) == 1


def test_a_symmetric_matrix_is_multiplied_once() -> None:
    rows = [[2.0 if i == j else 0.01 for j in range(40)] for i in range(40)]
    made: Any = build_objective(parse("w @ C @ w"), {"w": 40}, {"C": rows}, 1)
    made.evaluate(made.vector([1.0] * 40), 1)
    vectors = [made.form.graph.keys[key[2]][1] for key in made.form.graph.keys if key[0] == "matmul"]
    assert vectors == [
        "w",
        "~w",
    ]  # the value and the gradient share one, the other is of the Hessian's products


def test_the_whole_hessian_of_a_long_vector() -> None:
    made, constants = objective("w @ D @ w + sum(w)", 40)
    at = made.evaluate(made.vector([1.0] * 40), 1)
    found, D = made.whole_hessian(at), constants["D"]
    expected = [[D[i][j] + D[j][i] for j in range(40)] for i in range(40)]
    assert found.tolist() == [pytest.approx(row, abs=1e-12) for row in expected]
    products = made.counts.product
    assert (
        made.whole_hessian(made.evaluate(made.vector([2.0] * 40), 1)) is found
    )  # of a quadratic form it is kept
    assert made.counts.product == products
    curved, _ = objective("sum(exp(D @ w*0.01))", 40)
    first, second = (curved.whole_hessian(curved.evaluate(curved.vector([v] * 40), 1)) for v in (0.0, 1.0))
    assert abs(first - second).max() > 1e-6


@pytest.mark.parametrize("gradient", ["autodiff", "symbolic", "forward", "central", "complex"])
def test_every_gradient_knows_them(gradient: str) -> None:
    constants: Any = {"A": [[2.0, 1.0], [1.0, 3.0]], "b": [1.0, 2.0]}
    outcome = api.minimize(
        "x @ A @ x - 2*dot(b, x)", {"x": [5.0, 5.0]}, constants=constants, gradient=gradient
    )
    assert outcome.status.exit_code == 0
    assert outcome.point["x"] == pytest.approx([0.2, 0.6], abs=1e-4)


@pytest.mark.parametrize("method", ["gd", "lbfgs", "bfgs", "newton", "cg", "momentum"])
def test_every_method_knows_them(method: str) -> None:
    constants: Any = {"A": [[2.0, 1.0], [1.0, 3.0]], "b": [1.0, 2.0]}
    outcome = api.minimize("x @ A @ x - 2*dot(b, x)", {"x": [5.0, 5.0]}, constants=constants, method=method)
    assert outcome.value == pytest.approx(-1.4, abs=1e-8)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "sum(A @ x)",
            "A has 3 columns, and x has 2 elements",
            "what stands on both sides of @ has one length",
        ),
        ("sum(x @ A @ A)", "x @ A has 3 elements, and A has 2 rows", ""),
        ("A @ y", "the expression is a vector; an objective is one number", ""),
        ("t*A", "the expression is a matrix of 2 x 3; an objective is one number", "A @ x, w @ C @ w"),
        ("sum((A + t) @ y)", "a matrix that varies is not part of the language", "A @ x + t*(B @ x)"),
        ("sum(A)", "sum needs a vector or a number, and A is a matrix of 2 x 3", "A @ x, w @ C @ w"),
        ("t @ x", "@ multiplies matrices and vectors, and t is a number", "write t*x"),
        ("sum(x*A)", "x is a vector of 2, and A a matrix of 2 x 3", "@ multiplies"),
        ("A[2] @ y", "A has 2 rows", "indices count from 0, to 1 here"),
        ("A[0,3]", "A has 3 columns", "indices count from 0, to 2 here"),
        ("x[2]", "x has 2 elements: x[0] to x[1]", "indices count from 0"),
        ("x[0,1]", "x is a vector of 2, and has one index", "x[0]"),
        ("A[5:] @ y", "this slice is empty: A has 2 rows", ""),
        ("sum(A.T @ y)", "A.T has 2 columns, and y has 3 elements", "one length"),
        ("t.T", "t is a number, and cannot be transposed", ""),
        ("sum(x + y)", "x has 2 elements and y has 3: they cannot be combined", "slices such as v[1:]"),
        ("where(t > 0, A, 1)", "where chooses between numbers and vectors, not between matrices", ""),
    ],
)
def test_shapes_are_told_with_the_names(text: str, message: str, hint: str) -> None:
    lengths = {"x": 2, "y": 3, "t": None}
    for expand in (False,) if "varies" in message else (False, True):
        with pytest.raises(UsageError) as caught:
            form.build(parse(text), lengths, {"A": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]}, expand)
        assert caught.value.message == message
        assert hint in caught.value.hint


def value(text: str) -> Any:
    (entry,) = read_values([text], "--set")
    return entry.value


def test_matrices_are_typed_and_read_from_files(tmp_path: Path) -> None:
    assert value("A=[[1,2],[3,pi-pi]]") == [[1.0, 2.0], [3.0, 0.0]]
    for name, text in (
        ("c.csv", "a,b\n1,2\n3,4\n"),
        ("d.csv", "1;2\n3;4\n"),
        ("e.txt", "# made by hand\n1 2\n3 4 # so\n\n"),
        ("f.json", "[[1, 2], [3, 4]]"),
    ):
        (tmp_path / name).write_text(text)
        assert value(f"A=@{tmp_path / name}") == [[1.0, 2.0], [3.0, 4.0]]
    (tmp_path / "v.csv").write_text("mu\n1\n2\n3\n")
    (tmp_path / "w.json").write_text("0.5")
    assert (value(f"v=@{tmp_path / 'v.csv'}"), value(f"w=@{tmp_path / 'w.json'}")) == ([1.0, 2.0, 3.0], 0.5)
    (tmp_path / "g.csv").write_text("\n".join(",".join("1" * 50) for _ in range(50)))
    assert value(f"A=@{tmp_path / 'g.csv'}").shape == (50, 50)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.csv", "1,2\n3\n", "a.csv:2 has 1 number, and the rows before it 2"),
        ("a.csv", "1,2\n3,x\n", "a.csv:2:3: x is no number"),
        ("a.csv", "1; 2\n 3;  ab # c\n", "a.csv:2:6: ab is no number"),
        ("a.txt", "1 2 3\n4   ab 5\n", "a.txt:2:5: ab is no number"),
        ("a.csv", "1,2,3\n4,,5\n", "a.csv:2:3: a number is missing"),
        ("a.csv", "1,2\n3,nan\n", "a.csv:2: a number is not finite"),
        ("a.csv", "a,b\n", "a.csv has no numbers"),
        ("a.json", "[[1, 2], [3]]", "a.json is no number, vector or matrix"),
        ("a.json", "[[1, 2], [3,", "a.json is not JSON"),
        ("a.json", '{"x": 1}', "a.json is no number, vector or matrix"),
    ],
)
def test_what_is_wrong_in_a_file_is_told(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError) as caught:
        value(f"A=@{tmp_path / name}")
    assert told in caught.value.message
    assert caught.value.span is not None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("A=[[1,2],[3]]", "this row has 1 numbers, and the first has 2"),
        ("A=[[1,2],3]", "a row of a matrix is missing"),
        ("A=[[1,2],[]]", "this row is empty"),
        ("A=@nothing.csv", "--set: cannot read nothing.csv: No such file or directory"),
    ],
)
def test_what_is_no_matrix(text: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        value(text)
    assert caught.value.message == told


def test_a_product_is_not_followed_step_by_step() -> None:
    tree, constants = parse("x @ A @ x"), {"A": [[2.0, 1.0], [1.0, 3.0]]}
    with pytest.raises(UsageError, match="--trace does not follow @"):
        trace(tree, {"x": [1.0, 1.0]}, constants, 100)


def test_no_variable_is_a_matrix() -> None:
    with pytest.raises(UsageError, match="a variable is a number or a vector, and x is a matrix"):
        api.read_problem("sum(x)", "minimize", ["x=[[1,2],[3,4]]"])
