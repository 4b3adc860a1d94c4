"""Python environments to attack: real ones with a folder of their own, that see what the tests have installed.

Also the build of wheels. What is planted in them is the tests' business.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

from .sources import ROOT

KEY = "sk-environment-51f0c8ab29d37e64"


class Environment:
    """A virtual environment. `site` is its own folder of installed distributions, first on its path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder, with_pip=False, symlinks=True)
        self.python = folder / "bin" / "python"
        self.site = next((folder / "lib").glob("python*/site-packages"))
        seen = [entry for entry in sys.path if entry and not entry.startswith(sys.base_prefix)]
        (self.site / "what_the_tests_have.pth").write_text("".join(f"{entry}\n" for entry in seen))

    def install(self, wheel: Path) -> None:
        """With pip, as an operator does, and nothing but this wheel."""
        quiet = ("--quiet", "--disable-pip-version-check", "--no-index", "--no-deps")
        command = [sys.executable, "-m", "pip", "--python", str(self.python), "install", *quiet, str(wheel)]
        subprocess.run(command, check=True, timeout=120)

    def run(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run this environment's Python to its end."""
        return subprocess.run(
            [str(self.python), *arguments],
            cwd=self.folder,
            env=bare_environment() | dict(env or {}),
            capture_output=True,
            text=True,
            timeout=120,
        )

    def routeiq(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of our commands."""
        return self.run("-m", "routeiq", *arguments)


def bare_environment() -> dict[str, str]:
    """Variables of a process that is to depend on nobody's settings."""
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "ROUTEIQ_MASTER_KEY": KEY}


def build_wheel(project: str, folder: Path) -> Path:
    """The wheel of one of our distributions, by its own build back-end."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT / project, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob(f"{project.rpartition('/')[2].replace('-', '_').join(('*', '*'))}.whl")
    return wheel
