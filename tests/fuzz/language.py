#!/usr/bin/env python3
"""Fuzz the language and the texts of options.

    pip install -e '.[fuzz]'
    python tests/fuzz/language.py -max_total_time=1800 /tmp/corpus tests/fuzz/corpus/language

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
    from fuzz import language_target

    import gdcli.compile.export_text
    import gdcli.tasks.export
    import gdcli.tasks.problem  # noqa: F401

if __name__ == "__main__":
    language_target.quiet_limits()
    atheris.Setup(sys.argv, language_target.language)
    atheris.Fuzz()
