"""How what is missing gets installed here: the command that works for the way in which gd itself was installed.

It is found only when it is to be told: a look at the environment takes some milliseconds.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

EXTRAS = {
    "fast": ("llvmlite", "polars"),
    "plot": ("matplotlib", "plotext"),
    "page": ("latex2mathml",),
    "cluster": ("distributed", "pyarrow"),
    "excel": ("python-calamine",),
}


def command(extra: str) -> str:
    packages = " ".join(EXTRAS[extra])
    prefix = Path(sys.prefix)
    if (prefix / "pipx_metadata.json").exists():
        return f"pipx inject gdcli {packages}"
    source = _source(extra)
    if (prefix / "uv-receipt.toml").exists():
        if source is None:
            source = f"gdcli[{extra}]"
        return f"uv tool install --force {_quoted(source)}"
    return f"{_installer(prefix)} {packages if source is None else _quoted(source)}"


def of(package: str) -> str:
    """Return the command for a package: that of the extra that has it, if one does."""
    for extra in (extra for extra, packages in EXTRAS.items() if package in packages):
        return command(extra)
    prefix = Path(sys.prefix)
    is_of_pipx = (prefix / "pipx_metadata.json").exists()
    return f"{'pipx inject gdcli' if is_of_pipx else _installer(prefix)} {package}"


def _source(extra: str) -> str | None:
    """What the installer is to be given; None where gd runs without being installed."""
    from importlib import metadata

    try:
        found = metadata.distribution("gdcli")
    except metadata.PackageNotFoundError:
        return None
    said = found.read_text("direct_url.json")
    if said is None:
        return f"gdcli[{extra}]"
    origin = json.loads(said)
    url = str(origin.get("url", ""))
    if "vcs_info" in origin:
        return f"gdcli[{extra}] @ {origin['vcs_info'].get('vcs', 'git')}+{url}"
    if not url.startswith("file:"):
        return f"gdcli[{extra}] @ {url}"
    path = unquote(urlsplit(url).path)
    if os.path.realpath(path) == os.getcwd():
        path = "."
    return f"{path}[{extra}]"


def _installer(prefix: Path) -> str:
    """The installer of this Python: by its short name only where that is this one's."""
    from importlib.util import find_spec

    if find_spec("pip") is None:
        return f"uv pip install --python {sys.executable}"
    found = shutil.which("pip")
    is_ours = found is not None and Path(found).parent == prefix / ("Scripts" if os.name == "nt" else "bin")
    return "pip install" if is_ours else f"{sys.executable} -m pip install"


def _quoted(text: str) -> str:
    return f'"{text}"' if os.name == "nt" else f"'{text}'"
