"""The command that installs what is missing, for each way in which gd can have been installed."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from gdcli.kernel import installing


class Installed:
    """What a package says of itself; ``direct_url`` is where it came from, None for an index."""

    def __init__(self, direct_url: dict[str, Any] | None) -> None:
        self.direct_url = direct_url

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return None if self.direct_url is None else json.dumps(self.direct_url)


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A virtual environment whose pip is the first on the path."""
    (tmp_path / "bin").mkdir()
    pip = tmp_path / "bin" / "pip"
    pip.write_text("")
    pip.chmod(0o755)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def installed(monkeypatch: pytest.MonkeyPatch, direct_url: dict[str, Any] | None) -> None:
    monkeypatch.setattr(metadata, "distribution", lambda name: Installed(direct_url))


def test_from_an_index(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, None)
    assert installing.command("plot") == "pip install 'gdcli[plot]'"
    monkeypatch.setenv("PATH", "/nowhere")
    assert installing.command("fast") == f"{sys.executable} -m pip install 'gdcli[fast]'"


def test_from_a_checkout(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = prefix / "my project"
    home.mkdir()
    installed(monkeypatch, {"url": home.as_uri(), "dir_info": {"editable": True}})
    assert installing.command("plot") == f"pip install '{home}[plot]'"
    monkeypatch.chdir(home)
    assert installing.command("plot") == "pip install '.[plot]'"


def test_from_a_repository(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, {"url": "https://example.org/gd.git", "vcs_info": {"vcs": "git"}})
    assert installing.command("plot") == "pip install 'gdcli[plot] @ git+https://example.org/gd.git'"


def test_by_tools_with_environments_of_their_own(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, None)
    (prefix / "uv-receipt.toml").write_text("")
    assert installing.command("plot") == "uv tool install --force 'gdcli[plot]'"
    (prefix / "pipx_metadata.json").write_text("{}")
    assert installing.command("plot") == "pipx inject gdcli matplotlib plotext"
    assert installing.command("fast") == "pipx inject gdcli llvmlite polars"


def test_without_pip(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert installing.command("plot") == f"uv pip install --python {sys.executable} 'gdcli[plot]'"


def test_not_installed_at_all(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    assert installing.command("plot") == "pip install matplotlib plotext"


def test_the_extras_are_those_of_the_package() -> None:
    import tomllib

    config = tomllib.loads(
        (Path(__file__).parent.parent.parent / "pyproject.toml").read_text(encoding="utf-8")
    )
    known = config["project"]["optional-dependencies"]
    for extra, packages in installing.EXTRAS.items():
        assert [p.partition(">")[0] for p in known[extra]] == list(packages)
