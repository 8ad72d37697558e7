"""Start values and bounds written as elsewhere: the error proposes what to write; infinite ends are open ones."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdcli.kernel.errors import Span, UsageError
from gdcli.language.limits import read_limits
from gdcli.language.notation import BOUNDS, VALUES, proposed
from gdcli.language.values import read_values


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("x: 1", "x=1"),
        ("x:1, y:2", "x=1,y=2"),
        ('{"x": 1, "y": 2}', "x=1,y=2"),
        ("dict(x=1, y=2)", "x=1,y=2"),
        ("v=(1,2)", "'v=[1,2]'"),
        ("v: [1, 2]", "'v=[1,2]'"),
        ("v={1,2}", "'v=[1,2]'"),
        ("v=[1 2 3]", "'v=[1,2,3]'"),
        ("v=np.array([1,2])", "'v=[1,2]'"),
        ("v=np.zeros(3)", "'v=zeros(3)'"),
        ("v=[0]*3", "'v=full(3,0)'"),
        ("(1,2)", "1,2"),
        ("1 2", "1,2"),
        ("x=1;y=2", "x=1,y=2"),
        ("x=1 y=2", "x=1,y=2"),
        ("x=1 and y=2", "x=1,y=2"),
        ("x := 1", "x=1"),
        ("x==1", "x=1"),
        ("x 1", "x=1"),
        ("x=1,", "x=1"),
        ("x=1,1", "x=1.1 for a decimal point, 'x=[1,1]' for a vector"),
        ("x=1,5,y=2", "x=1.5,y=2 for a decimal point, 'x=[1,5],y=2' for a vector"),
    ],
)
def test_values(text: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_values([text], "--start")
    assert caught.value.hint == f"write --start {meant}"
    assert caught.value.span is not None


@pytest.mark.parametrize(
    ("text", "lower", "upper"),
    [
        ("x=0:inf", 0.0, math.inf),
        ("x=-inf:5", -math.inf, 5.0),
        ("x=-∞:5", -math.inf, 5.0),
        ("x=1: +Infinity", 1.0, math.inf),
    ],
)
def test_infinite_ends_are_open(text: str, lower: float, upper: float) -> None:
    assert read_limits([text])[0][2:4] == (lower, upper)


@pytest.mark.parametrize("text", ["x=inf:5", "x=0:-inf", "x=-inf:inf", "x=nan:1"])
def test_infinite_ends_on_the_wrong_side(text: str) -> None:
    with pytest.raises(UsageError):
        read_limits([text])


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("0<x<1", "x=0:1"),
        ("0 <= x <= 1", "x=0:1"),
        ("1>x>0", "x=0:1"),
        ("-1<x<pi/2, 0<y<2", "x=-1:pi/2,y=0:2"),
        ("x>0", "x=0:"),
        ("x>=0,y<2", "x=0:,y=:2"),
        ("0<x", "x=0:"),
        ("v[0]>1", "'v[0]=1:'"),
        ("x≥0", "x=0:"),
        ("x in [0,1]", "x=0:1"),
        ("x∈[0,1]", "x=0:1"),
        ("x>=0 and x<=5", "x=0:5"),
        ("x>0,x<5", "x=0:5"),
        ("x=[0,1]", "x=0:1"),
        ("x: (0, 1)", "x=0:1"),
        ("{'x': [0, 1]}", "x=0:1"),
        ("x=[0,None]", "x=0:"),
        ("x=0..1", "x=0:1"),
        ("x=0,1", "x=0:1"),
        ("x=0,1,y=0,2", "x=0:1,y=0:2"),
        ("x:0:1", "x=0:1"),
        ("x 0:1", "x=0:1"),
        ("x 0 1", "x=0:1"),
        ("x=0 1", "x=0:1"),
        ("x between 0 and 1", "x=0:1"),
        ("x=0 to 5", "x=0:5"),
        ("x=0-5", "x=0:5"),
        ("x=-5--1", "x=-5:-1"),
        ("x=0–5", "x=0:5"),
        ("x=0-inf,y=1-2", "x=0:inf,y=1:2"),
        ("x:0,5", "x=0:5"),
        ("x=>0", "x=0:"),
        ("x=0:1;y=0:2", "x=0:1,y=0:2"),
        ("x=0:1 y=0:2", "x=0:1,y=0:2"),
    ],
)
def test_bounds(text: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_limits([text])
    assert caught.value.hint == f"write --bounds {meant}"


def test_a_number_is_no_bound() -> None:
    with pytest.raises(UsageError) as caught:
        read_limits(["x=5"])
    assert caught.value.hint == "write x=5: for at least 5, :5 for at most"


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.text("xy01.,:;=<>()[]{}' -nif", max_size=16), st.booleans())
def test_whatever_is_proposed_can_be_read(text: str, are_bounds: bool) -> None:
    read = read_limits if are_bounds else lambda texts: read_values(texts, "--start")
    error = UsageError("wrong", "", Span(text, 0, 0))
    proposed(error, text, "--start", BOUNDS if are_bounds else VALUES, lambda meant: read([meant]))
    if error.hint:
        assert read([error.hint.removeprefix("write --start ").strip("'")])


def test_a_name_without_a_value() -> None:
    with pytest.raises(UsageError) as caught:
        read_values(["a=1,b"], "--start")
    assert caught.value.message == "b has no value"
    assert caught.value.hint == "for example b=1"
