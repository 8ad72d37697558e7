"""Hostile input is refused or answered: the right exit code, a message, no traceback, little memory, no hang."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile.cases import CASES, MOST, Case, run

# The promise is a second, which benchmarks/hostile.py measures; here it is only that nothing hangs.
GUARD = 20.0


def test_the_names_tell_the_cases_apart() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.every(3)
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_hostile_input_is_refused_or_answered(case: Case, tmp_path: Path) -> None:
    done = run(case, tmp_path, GUARD)
    codes = (case.code,) if isinstance(case.code, int) else case.code
    assert done.code in codes, done.err[-1000:]
    assert "Traceback" not in done.err + done.out
    assert "internal error" not in done.err + done.out
    assert case.says in done.err + done.out
    assert done.memory < MOST
    if done.code in (2, 8) and case.arguments[0] != "run":
        assert done.err.startswith("error: ")
    assert len(done.err) < 10_000
