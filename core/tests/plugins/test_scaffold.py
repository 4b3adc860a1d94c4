"""A rendered project is a plugin at once: it builds, it is discovered, its tests pass, and the gateway loads it."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from routeiq.cli.plugins import KIND_NAMES
from routeiq.plugins.discover import GROUPS, scan
from routeiq.plugins.load import construct, examine
from routeiq.plugins.scaffold import KINDS, scaffold
from routeiq.plugins.select import Selected
from routeiq_sdk import PluginError

NEEDED = {"sink": {"url": "https://sink.example/records"}}


def run(folder: Path, *arguments: str, site: Path | None = None) -> str:
    environment = {**os.environ, "PYTHONPATH": str(site or ""), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(project: Path, site: Path) -> None:
    """Build the project's wheel and unpack it, which is all that installing a pure wheel is."""
    run(project, "hatchling", "build", "-t", "wheel")
    (wheel,) = (project / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)


@pytest.mark.parametrize("kind", KINDS)
def test_a_rendered_project_builds_and_its_tests_pass(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"brand-new-{kind}"
    project = scaffold(name, kind, tmp_path)
    site = tmp_path / "site"
    install(project, site)
    summary = run(project, "pytest", "-q", "-rA", "-p", "no:cacheprovider", site=site)
    assert "PASSED" in summary
    assert "test_it_is_discovered_by_its_entry_point" in summary
    assert "FAILED" not in summary

    monkeypatch.syspath_prepend(str(site))
    examined = examine(Selected(name, NEEDED.get(kind, {}), required=True), scan())
    assert examined.found.group == KINDS[kind].group
    construct(examined)


@pytest.mark.parametrize("kind", KINDS)
def test_a_rendered_project_is_clean(kind: str, tmp_path: Path) -> None:
    project = scaffold(f"clean-{kind}", kind, tmp_path)
    run(project, "ruff", "check", "--line-length", "120", "--select", "E,F,W,I,UP,B,SIM", ".")
    run(project, "ruff", "format", "--line-length", "120", "--check", ".")


def test_the_projects_words_agree(tmp_path: Path) -> None:
    project = scaffold("my-guard", "guard", tmp_path)
    metadata = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert metadata["name"] == "routeiq-my-guard"
    assert metadata["entry-points"] == {"routeiq.guards": {"my-guard": "routeiq_my_guard.plugin:MyGuard"}}
    assert (project / "src" / "routeiq_my_guard" / "py.typed").exists()
    assert "$" not in (project / "README.md").read_text()


def test_the_kinds_of_the_command_are_those_that_can_be_rendered() -> None:
    assert set(KIND_NAMES) == set(KINDS)
    assert {kind.group for kind in KINDS.values()} <= set(GROUPS)


@pytest.mark.parametrize("name", ["", "My-Guard", "guard_x", "-x", "x-", "../x", "1x", "a b"])
def test_a_bad_name_writes_nothing(name: str, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="lower-case words"):
        scaffold(name, "guard", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_taken_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(PluginError, match="there already"):
        scaffold("mine", "guard", tmp_path)
    assert list((tmp_path / "mine").iterdir()) == []
