"""The tutorial for a first plugin, followed word by word, ends with tests that pass."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner
from pages import DOCS, commands, of_page

from routeiq.cli.main import cli

PAGE = DOCS / "tutorial" / "first-plugin.md"


def test_the_first_plugin_passes_its_contract(tmp_path: Path) -> None:
    parts = list(of_page(PAGE))
    told = [line for part in parts if part.language == "console" for line in commands(part)]
    (new,) = [line.split()[1:] for line in told if line.startswith("routeiq plugins new ")]
    assert CliRunner().invoke(cli, [*new, "--dir", str(tmp_path)]).exit_code == 0
    project = tmp_path / new[2]
    for part in parts:
        if part.mark.startswith("file: "):
            target = project / part.mark.removeprefix("file: ")
            assert target.is_file(), "the page replaces a file that the command wrote"
            target.write_text(part.text, encoding="utf-8")
    (entry,) = [part.text for part in parts if part.language == "toml"]
    assert entry in (project / "pyproject.toml").read_text(encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(project / "tests")],
        cwd=project,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(project / "src"), str(_installed(project))))},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def _installed(project: Path) -> Path:
    """What an installer would leave: the metadata that makes the entry point known."""
    info = project / "site" / "routeiq_no_shouting-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: routeiq-no-shouting\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[routeiq.guards]\nno-shouting = routeiq_no_shouting.plugin:NoShouting\n")
    (info / "RECORD").write_text("")
    return info.parent
