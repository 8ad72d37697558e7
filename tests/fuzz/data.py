#!/usr/bin/env python3
"""Fuzz the readers of data.

    pip install -e '.[fuzz,fast]'
    python tests/fuzz/data.py -max_total_time=1800 /tmp/corpus tests/fuzz/corpus/data

New inputs go to the first folder. An input that breaks a promise is written to a file ``crash-...``; give its name
to run it alone. See tests/fuzz/README.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.pop(1)  # this folder: its language.py is not a module of anybody
with atheris.instrument_imports(include=["gdcli"]):
    from fuzz import data_target

    import gdcli.table.columnar
    import gdcli.table.delimited_text  # noqa: F401

if __name__ == "__main__":
    data_target.small_blocks()
    atheris.Setup(sys.argv, data_target.data)
    atheris.Fuzz()
