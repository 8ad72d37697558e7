"""The fuzz target of the language for some seconds: inputs made by hypothesis, and the corpus of the fuzzer."""

from __future__ import annotations

from pathlib import Path

import pytest
from effort import examples
from expressions import scalars, with_vectors
from fuzz import inputs
from fuzz.inputs import SlowError, as_typed, check_error, in_time
from fuzz.language_target import EXPRESSION, VALUES, language
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gdcli.kernel.errors import Span, UsageError
from gdcli.language import values

CORPUS = sorted((Path(__file__).parent.parent / "fuzz" / "corpus" / "language").iterdir())
FUZZ = settings(
    derandomize=True,
    deadline=None,
    max_examples=examples(150),
    suppress_health_check=list(HealthCheck),
    database=None,
)
_POINT = st.binary(min_size=12, max_size=12)


@pytest.fixture(autouse=True)
def short_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long vectors are short, so that no input needs gigabytes."""
    monkeypatch.setattr(values, "MAX_LENGTH", 20_000)


@pytest.mark.parametrize("part", range(4))
def test_the_corpus_keeps_every_promise(part: int) -> None:
    for file in CORPUS[part::4]:
        language(file.read_bytes())


@FUZZ
@given(_POINT, st.lists(st.integers(0, len(EXPRESSION) - 1), max_size=25).map(bytes))
def test_words_of_the_language(point: bytes, text: bytes) -> None:
    language(bytes([1]) + point + text)


@FUZZ
@given(_POINT, st.one_of(scalars(), with_vectors()))
def test_expressions(point: bytes, text: str) -> None:
    language(bytes([0]) + point + text.encode())


@FUZZ
@given(st.integers(0, 7), st.binary(max_size=200))
def test_bytes(mode: int, data: bytes) -> None:
    language(bytes([mode]) + data)


@FUZZ
@given(st.lists(st.integers(0, len(VALUES) - 1), max_size=20).map(bytes))
def test_words_of_options(text: bytes) -> None:
    language(bytes([6]) + text)


def test_the_target_notices_what_is_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "SECONDS", 1e-9)
    with pytest.raises(SlowError), in_time("x"):
        sum(range(10_000))
    check_error(UsageError("wrong", "", Span("x", 0, 1)))
    with pytest.raises(AssertionError):
        check_error(UsageError("wrong", "", Span("x", 0, 5)))
    assert as_typed(b"x\xff") == "x\udcff"
