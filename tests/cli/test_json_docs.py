"""docs/json.md names every key that the machine formats have."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gdcli.cli.app import run

ROOT = Path(__file__).parent.parent.parent
COMMANDS = (
    "fit 'y ~ a*exp(-b*t)' docs/decay.csv --start auto --intervals profile --level 0.999 --derive h=log(2)/b",
    "fit 'y ~ a*exp(-b*t)' docs/decay.csv --start auto --level 0.999 --contour a,b",
    "fit 'y ~ a*exp(-b*t)' docs/decay.csv --start auto --intervals bootstrap --samples 50 --derive h=log(2)/b",
    "minimize '(x-3)**2' --start x=0 --bounds x=0:2 --timing --show-gradient",
    "minimize '(x**2-1)**2' --bounds x=-3:3 --multi-start 5",
    "maximize '-sum(v**2)' --start 'v=ones(300)' --method newton-cg",
    "fit 'y ~ a + b*t' docs/decay.csv --timing",
    "fit 'y ~ T @ w' docs/decay.csv --columns T=t --loss huber --huber-delta 2",
    "fit 'y ~ a + b*t' docs/decay.csv --sigma y",
    "fit 'y ~ a + b*t' docs/decay.csv --weights y --batch-size 4 --epochs 3 --validate 0.2 --lr 0.01",
    "fit 'y ~ a + b*t' docs/decay.csv --sigma-x t=0.1 --sigma y",
    "fit 'y ~ a + b*t' docs/sites.csv --by site --share b",
    "fit 'y ~ a + b*t' docs/sites.csv --model 'year ~ b + c*t'",
    "fit 'y ~ a + b*t' docs/sites.csv --by site,year --sigma y",
    "minimize 'x + sine(x)' --start x=1",
    "compare-lr 'x**2' --start x=1 --lr 0.1,2",
    "compare-methods 'x**2' --start x=1 --method gd,bfgs",
    "compare-batch 'y ~ a*x + b' docs/line.csv --epochs 2 --validate 0.2 --timing",
    "minimize '-exp(exp(x))' --start x=1",
    "fit 'y ~ a*exp(b*t)' docs/decay.csv --start auto",
    "run examples.toml rosenbrock",
    "gradient 'x**2*y' --at x=1,y=2 --hessian --errors --latex",
    "gradient 'x**2*y' --at x=1,y=2 --trace",
    "methods",
    "functions",
)
# What these have is named by the user, so many levels deep.
BY_NAME = dict.fromkeys(
    [
        *("start", "constants", "bounds", "point", "standard_errors", "t", "confidence", "formulas"),
        *("options", "data", "group", "box", "sigma_x", "points", "moves", "own_start"),
        *("ranges", "ends", "lopsided", "derived", "percentile", "extents"),
        *("columns", "gradient", "formula", "components", "latex", "local", "forward", "step_rules"),
        *("options", "data", "sums"),
    ],
    1,
) | {"correlation": 2}


def keys_of(value: Any, skip: int = 0) -> Iterator[str]:
    """All keys that the program has chosen, at any depth; those of the first ``skip`` levels are not."""
    if isinstance(value, list):
        for item in value:
            yield from keys_of(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not skip:
                yield key
            yield from keys_of(item, skip - 1 if skip else BY_NAME.get(key, 0))


@pytest.mark.parametrize("form", ["json", "jsonl"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_key_is_documented(
    command: str, form: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if form == "jsonl" and command.startswith(("gradient", "methods", "functions")):
        pytest.skip("it has no lines")
    monkeypatch.chdir(ROOT)
    run([*shlex.split(command), "--format", form])
    text = capsys.readouterr().out
    records = [json.loads(line) for line in text.splitlines()] if form == "jsonl" else [json.loads(text)]
    documented = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "json.md").read_text(encoding="utf-8")))
    found = {key for record in records for key in keys_of(record)}
    assert len(found) > 3
    assert found <= documented
    assert {record["type"] for record in records} <= documented | {
        "compare-lr",
        "compare-methods",
        "compare-batch",
        "compare-models",
    }
