"""What a name means: constants, functions, columns of the data, and names that are nearly one of these."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from gdcli import api
from gdcli.cli.app import run
from gdcli.kernel.errors import UsageError
from gdcli.language.limits import read_limits
from gdcli.language.syntax import parse
from gdcli.language.values import read_values


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, with data.csv in it: y = 2x + 1, and columns with the names of constants and functions."""
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{x},{2 * x + 1},{x % 3},{x * x},{x % 4}\n" for x in range(8))
    (tmp_path / "data.csv").write_text("x,y,e,gamma,sum\n" + rows)
    return tmp_path


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    run([*words, "--format", "json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


# -- constants ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["2*π", "2*𝜋", "2*pi"])
def test_the_greek_letter_is_the_constant(text: str) -> None:
    tree = parse(text + " + x")
    assert tree.names == ("pi", "x")
    assert tree.piece(tree.root.args[0]) == text


def test_it_is_a_constant_in_values_and_bounds_too() -> None:
    assert read_values(["x=π/2"], "--start")[0].value == math.pi / 2
    assert read_values(["a=2*π"], "--set")[0].value == 2 * math.pi
    assert read_limits(["x=-π:π"])[0][2:4] == (-math.pi, math.pi)


def test_it_is_found_by_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "minimize", "(x-π)**2", "--start", "x=1")["point"]["x"] == pytest.approx(math.pi)


def test_it_cannot_be_started(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["minimize", "(x-π)**2", "--start", "x=1,π=3"]) == 2
    assert "pi is the constant 3.14159" in capsys.readouterr().err


def test_a_constant_with_capitals_is_not_silently_a_variable(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["minimize", "(x-Pi)**2"]) == 2
    assert "write pi" in capsys.readouterr().err
    assert run(["minimize", "(x-PI)**2 + PI**2", "--start", "x=1,PI=2"]) == 0


@pytest.mark.parametrize("name", ["inf", "nan", "Infinity"])
def test_what_is_infinite_is_no_number(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["minimize", f"x**2 + {name}", "--start", "x=1"]) == 2
    assert f"{name} is no number here" in capsys.readouterr().err
    assert run(["minimize", f"x**2 + {name}**2", "--start", f"x=1,{name}=1"]) == 0


# -- names and columns --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "message", "hint"),
    [
        ("y ~ a*X + b", "X is not a column of the data, but x is", "write x"),
        ("Y ~ a*x + b", "Y is not a column of the data, but y is", "write y"),
        ("z ~ a*x + b", "z is not a column of the data", "x, y"),
        ("log(yy) ~ a*x + b", "yy is not a column of the data", "did you mean y?"),
        ("(X-a)**2", "X is not a column", "write x"),
        ("y ~ X @ v", "X is not a matrix of columns of the data", '--columns "X=x|e|'),
        ("y ~ b + 2*(Z @ w)", "Z is not a matrix of columns of the data", '--columns "Z=x|e|'),
    ],
)
def test_what_is_nearly_a_column(
    model: str, message: str, hint: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["fit", model, "data.csv"]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert hint in told
    assert "^" in told


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["sum((A @ x)**2)", "--start", "x=[1,2]"], "--set 'A=[[1,2],[3,4]]'"),
        (["w @ C @ w", "--start", "w=[1,2]"], "--set 'C=[[1,2],[3,4]]'"),
        (["x @ x", "--set", "a=1"], ""),
        (["A @ x"], "--set 'A=[[1,2],[3,4]]'"),
        (["x @ x"], "--start 'x=[1,2]'"),
    ],
)
def test_matrices_that_are_not_given(words: list[str], hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["minimize", *words]) == 2
    assert hint in capsys.readouterr().err


def test_columns_are_joined_by_bars(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for between in (",", " ", ", "):
        assert run(["fit", "y ~ X @ v", "data.csv", "--columns", f"X=x{between}e"]) == 2
        assert '"X=x|e"' in capsys.readouterr().err


def test_a_start_tells_that_a_parameter_is_meant(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "fit", "y ~ X*x + b", "data.csv", "--start", "X=1,b=0")
    assert found["point"]["X"] == pytest.approx(2.0)


def test_what_is_measured_may_be_a_number(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "fit", "1 ~ a*x + b*sum", "data.csv")["status"] == "converged"


# -- columns with the names of constants and functions ------------------------------------------------------------


def test_a_column_with_the_name_of_a_constant_is_told(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["fit", "y ~ a*x + b*e", "data.csv"]) == 2
    told = capsys.readouterr().err
    assert "e is a column of the data and the constant 2.71828" in told
    assert "exp(1)" in told
    assert "--columns c=e" in told


def test_each_of_the_two_can_be_had(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    number = answer(capsys, "fit", "y ~ a*x + b*exp(1)", "data.csv")
    assert number["point"]["b"] == pytest.approx(1 / math.e)
    column = answer(capsys, "fit", "c ~ a*sin(2*acos(-1)*x/3) + b*x", "data.csv", "--columns", "c=e")
    assert column["problem"]["columns"] == {"c": ["e"]}
    assert column["rows"]["used"] == 8


def test_a_column_of_another_name_takes_no_constant_away(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(capsys, "fit", "y ~ a*x + b*pi", "data.csv")["point"]["b"] == pytest.approx(1 / math.pi)


def test_a_function_that_is_not_called_is_the_column(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "fit", "gamma ~ a*x**2 + b*sum + c*gamma(4)", "data.csv")
    assert found["point"]["a"] == pytest.approx(1.0)
    assert found["point"]["b"] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("model", "hint"),
    [("y ~ x", "y ~ a + b*x"), ("y ~ 1 + x + gamma", "y ~ a + b*x + c*gamma"), ("y ~ C(x)", "y ~ a + C(x)")],
)
def test_parameters_are_written_out(
    model: str, hint: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["fit", model, "data.csv"]) == 2
    assert f"hint: parameters are written out: {hint}\n" in capsys.readouterr().err


def test_a_column_without_a_title_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "titles.csv"
    file.write_text("x,,y,\n1,5,2,\n2,6,4.1,\n3,7,6,\n")
    assert run(["fit", "z ~ a*x", str(file)]) == 2
    told = "; 2 columns, the first of them column 2, have no title\n"
    assert capsys.readouterr().err.endswith("hint: the columns are x, y" + told)
    file.write_text("x,,y\n1,5,2\n2,6,4.1\n3,7,6\n")
    for words in (
        ["z ~ a*x"],
        ["y ~ a*x + b*exp(k)", "--weights", "w"],
        ["y ~ X@w", "--columns", "X=*", "--by", "g"],
    ):
        assert run(["fit", words[0], str(file), *words[1:]]) == 2
        assert "the columns are x, y; column 2 has no title\n" in capsys.readouterr().err
    assert run(["fit", "y ~ a*x", str(file), "--weights", ""]) == 2
    assert run(["fit", "y ~ X@w", str(file), "--columns", "X=*", "--set", "w=1,1"]) == 2
    capsys.readouterr()


# -- products that are written as one name ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["minimize", "x**2 + 4*xy + y**2", "--start", "x=1,y=1"], "xy is one name: write x*y"),
        (["minimize", "sinx", "--start", "x=1"], "sinx is one name: write sin(x)"),
        (["minimize", "sinx + x**2"], "write sin(x), or give sinx a start: --start sinx=1"),
        (["minimize", "-cosx"], "write cos(x), or give cosx a start: --start cosx=1"),
        (["minimize", "x**2 + y**2 + xy"], "write x*y, or give xy a start: --start xy=1"),
        (["fit", "y ~ ax + b", "data.csv"], "write a*x; for a parameter add --start ax=1"),
        (
            ["fit", "y ~ a*cosx", "data.csv", "--start", "a=1"],
            "write cos(x); for a parameter add --start cosx=1",
        ),
    ],
)
def test_a_name_that_is_meant_for_a_product(
    words: list[str], hint: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    assert f"hint: {hint}\n" in capsys.readouterr().err


def test_a_name_like_a_product_can_be_had(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for expression in ("(x-1)**2 + (dx-2)**2", "(theta-1)**2 + e*h**2", "(ab-1)**2 + (a-b)**2"):
        assert answer(capsys, "minimize", expression, "--start", "1,2,3" if "b" in expression else "1,2")
    assert run(["minimize", "(x-1)**2 + (dx-2)**2 + (x1-2)**2"]) == 0
    capsys.readouterr()
    assert answer(capsys, "fit", "y ~ ax + b*x", "data.csv")["point"] == pytest.approx({"ax": 1, "b": 2})
    assert answer(capsys, "fit", "y ~ ax", "data.csv", "--start", "ax=1")["point"]["ax"] == pytest.approx(8)


def test_a_constant_that_differs_from_a_column_by_case_alone_is_asked_about() -> None:
    data = {"E": [1.0, 2.0, 3.0, 4.0], "y": [2.0, 4.2, 6.1, 8.3]}
    with pytest.raises(UsageError) as caught:
        api.fit("y ~ a*e + b", data)
    assert caught.value.message == "e is not a column of the data, but E is"
    assert caught.value.hint == "write E for the column; for the number write exp(1)"
    assert api.fit("y ~ a*e*E + b", data).point["a"] > 0.0  # who names the column too means the number
    assert api.fit("y ~ a*exp(1)**x + b", {**data, "x": [0.0, 1, 2, 3]}).point["a"] > 0.0


@pytest.mark.parametrize("side", ["a + b*x + c*x**2 + d*x**3 + e*x**4", "a*x + e", "e/(1 + b*x)"])
def test_e_beside_parameters_is_asked_about(side: str) -> None:
    data = {"x": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "y": [2.0, 4.2, 6.1, 8.3, 9.0, 12.0]}
    with pytest.raises(UsageError) as caught:
        api.fit(f"y ~ {side}", data)
    assert caught.value.message == "e is the number 2.71828, and no parameter"
    assert caught.value.hint == "give the parameter another name; for the number write exp(1)"
    assert caught.value.span is not None
    assert caught.value.span.start == 4 + side.index("e")
    assert set(api.fit("y ~ a*e**(-b*x) + c", data).point) == {"a", "b", "c"}


def test_a_column_is_no_vector_that_multiplies_a_matrix() -> None:
    data = {"t": [1.0, 2.0, 3.0, 4.0], "x": [1.0, 4.0, 2.0, 0.0], "w": [1.0] * 4, "y": [2.0, 4.2, 6.1, 8.3]}
    with pytest.raises(UsageError, match="w is a column of the data, and no vector"):
        api.fit("y ~ X @ w + b", data, columns="X=t|x")
    assert set(api.fit("y ~ X @ v + b", data, columns="X=t|x").point) == {"v", "b"}
