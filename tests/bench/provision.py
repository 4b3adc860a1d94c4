"""Brings what a run needs: system tools (or the command that installs them), the mock, contenders' own packages.
All that is made lands in the cache folder and is kept. Nothing is started here."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEBIAN_PACKAGES = {
    "cc": "gcc libc6-dev",
    "nginx": "nginx-light",
    "wrk": "wrk",
    "taskset": "util-linux",
    "setpriv": "util-linux",
    "npm": "npm",
    "node": "nodejs",
}
INSTALL_DEADLINE = 1200.0


class BenchSetupError(RuntimeError):
    """The machine lacks something; the message says what, and the command that mends it."""


def require(*tools: str) -> None:
    missing = [tool for tool in tools if _find(tool) is None]
    if missing:
        packages = " ".join(dict.fromkeys(DEBIAN_PACKAGES[tool] for tool in missing))
        raise BenchSetupError(f"not installed: {', '.join(missing)}. Mend: apt-get install {packages}")


def tool(name: str) -> str:
    require(name)
    return str(_find(name))


def _find(tool: str) -> str | None:
    # Debian keeps daemons where an ordinary user's PATH does not look.
    return shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/sbin:/usr/local/sbin")


def compiled_mock(cache: Path) -> Path:
    source, target = HERE / "mock_upstream.c", cache / "mock_upstream"
    if not target.exists() or target.stat().st_mtime <= source.stat().st_mtime:
        cache.mkdir(parents=True, exist_ok=True)
        _run([tool("cc"), "-O2", "-o", str(target), str(source)], cache)
    return target


def python_package(cache: Path, name: str, requirement: str) -> Path:
    """A virtual environment with one requirement, made once; returns its `bin` folder."""
    home = cache / name
    stamp = home / "requirement.txt"
    if not stamp.exists() or stamp.read_text() != requirement:
        if not (home / "bin" / "python").exists():
            _run([sys.executable, "-m", "venv", str(home)], cache)
        _run([str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", requirement], cache)
        stamp.write_text(requirement)
    return home / "bin"


def node_package(cache: Path, name: str, package: dict[str, object]) -> Path:
    """A folder with one installed npm package, made once; returns its `node_modules`."""
    require("npm", "node")
    home = cache / name
    wanted = json.dumps(package, indent=2)
    stamp = home / "installed.json"
    if not stamp.exists() or stamp.read_text() != wanted:
        home.mkdir(parents=True, exist_ok=True)
        (home / "package.json").write_text(wanted)
        _run([tool("npm"), "install", "--no-audit", "--no-fund", "--prefix", str(home)], home)
        stamp.write_text(wanted)
    return home / "node_modules"


def _run(argv: list[str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=INSTALL_DEADLINE)
    except subprocess.TimeoutExpired:
        raise BenchSetupError(f"no end after {INSTALL_DEADLINE:.0f} s: {' '.join(argv)}") from None
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise BenchSetupError(f"failed: {' '.join(argv)}\n{tail}")
