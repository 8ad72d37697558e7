"""The fuzz target of the readers of data for some seconds: inputs made by hypothesis, and the corpus of the fuzzer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from effort import examples
from fuzz.data_target import OBJECTS, TEXT, data
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gdcli.table import delimited_text

CORPUS = sorted((Path(__file__).parent.parent / "fuzz" / "corpus" / "data").iterdir())
FUZZ = settings(
    derandomize=True,
    deadline=None,
    max_examples=examples(100),
    suppress_health_check=list(HealthCheck),
    database=None,
)


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> Iterator[None]:
    """Blocks of a few lines, so that small files are cut in many places."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited_text, "_SIZES", {"native": 50, "polars": 60, "split": 40, "csv": 25})
        patch.setattr(delimited_text, "_SECOND", 10)
        yield


@pytest.mark.parametrize("part", range(4))
def test_the_corpus_keeps_every_promise(part: int) -> None:
    for file in CORPUS[part::4]:
        data(file.read_bytes())


_OPTIONS = st.binary(min_size=2, max_size=2)


@FUZZ
@given(_OPTIONS, st.lists(st.integers(0, len(TEXT) - 1), max_size=40).map(bytes))
def test_words_of_text(options: bytes, content: bytes) -> None:
    data(bytes([1]) + options + content)


@FUZZ
@given(_OPTIONS, st.lists(st.integers(0, len(OBJECTS) - 1), max_size=25).map(bytes))
def test_words_of_objects(options: bytes, content: bytes) -> None:
    data(bytes([3]) + options + content)


@FUZZ
@given(st.integers(0, 3), _OPTIONS, st.binary(max_size=200))
def test_bytes(kind: int, options: bytes, content: bytes) -> None:
    data(bytes([kind]) + options + content)
