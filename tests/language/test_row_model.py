"""Models of data: the two sides of the tilde, which names are what, and where mistakes are shown."""

from __future__ import annotations

import pytest

from gdcli.kernel.errors import UsageError
from gdcli.language.model_text import parse_model, sort_names


def test_sides_and_names() -> None:
    model = parse_model("log(y) ~ a*exp(-b*x) + c  # ~ is no tilde here")
    assert model.left is not None
    assert model.left.piece(model.left.root) == "log(y)"
    assert model.right.piece(model.right.root) == "a*exp(-b*x) + c"
    assert model.names == ("y", "a", "b", "x", "c")
    names = sort_names(model, ["x", "y", "z"], {}, {"c": 1.0}, {})
    assert names.parameters == {"a": None, "b": None}
    assert names.columns == ("y", "x")


def test_a_typed_loss_has_no_left_side() -> None:
    model = parse_model("log(1+exp(-t*(w*x+b)))")
    assert model.left is None
    assert sort_names(model, ["t", "x"], {}, {}, {}).parameters == {"w": None, "b": None}


def test_a_matrix_gives_its_vector_a_length() -> None:
    model = parse_model("y ~ X @ w + b")
    names = sort_names(model, ["y", "x1", "x2", "x3"], {"X": ["x1", "x3"]}, {}, {})
    assert names.parameters == {"w": 2, "b": None}
    assert names.columns == ("y", "x1", "x3")
    assert names.matrices == {"X": ("x1", "x3")}


@pytest.mark.parametrize(
    ("text", "says", "place"),
    [
        ("y ~ a ~ x", "one ~", "~"),
        ("y ~ a*siin(x)", "unknown function siin", "siin(x)"[:4]),
        ("y ~ ", "nothing stands right", "~"),
        ("~ a*x", "nothing stands left", "~"),
        ("y ~ a*+", "something is missing", "+"),
        ("y )~ a*x", "closes nothing", ")"),
    ],
)
def test_mistakes_point_into_the_whole_text(text: str, says: str, place: str) -> None:
    with pytest.raises(UsageError) as caught:
        sort_names(parse_model(text), ["x", "y"], {}, {}, {})
    span = caught.value.span
    assert says in caught.value.message
    assert span is not None
    assert span.text == text
    assert text[span.start : span.end] == place


@pytest.mark.parametrize(
    ("text", "constants", "says"),
    [
        ("y ~ 2*x", {}, "no parameter"),
        ("y ~ a*x", {"q": 1.0}, "does not have"),
        ("y ~ a*x", {"x": 1.0}, "column of the data"),
    ],
)
def test_names_that_do_not_fit(text: str, constants: dict[str, float], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        sort_names(parse_model(text), ["x", "y"], {}, constants, {})
