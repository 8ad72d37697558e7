"""`--cluster` where Dask is not installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gdcli import api
from gdcli.cli.run_workers import workers_on
from gdcli.kernel.errors import UsageError
from gdcli.render.formats import FORMATS
from gdcli.render.verdicts import Shown


@pytest.mark.parametrize("address", ["local:2", "tcp://127.0.0.1:9"])
def test_without_dask_it_is_told_what_to_install(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("x,y\n0,1\n1,2\n2,4\n")
    for name in ("distributed", "dask"):
        monkeypatch.setitem(sys.modules, name, None)
    shown = Shown(FORMATS["jsonl"], False, True)
    for asked in (
        lambda: api.fit("y ~ a*x + b", str(rows), cluster=address),
        lambda: api.minimize("x**2", {"x": 1.0}, multi_start=3, cluster=address),
        lambda: workers_on(address, "problems.jsonl", shown).__enter__(),
    ):
        with pytest.raises(UsageError, match="--cluster needs Dask, which is not installed") as told:
            asked()
        assert told.value.hint.startswith("install it: ")
        assert "cluster" in told.value.hint or "distributed" in told.value.hint
