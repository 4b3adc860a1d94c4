"""The demo's own virtual environment: made once, used again until a distribution's metadata changes.

It runs on a bare Python, so it imports the standard library only.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

DISTRIBUTIONS = ("plugin_sdk", "core", "plugins/routing-rules", "tests/testkit")
LIBRARIES = ("openai>=2,<4",)
_SHOWN_LINES = 20
_REDRAW_SECONDS = 0.25


class Failed(Exception):
    """The environment could not be made; the message says how to mend that."""


def new_enough(what: str) -> bool:
    """Whether this Python can run it; says so when it cannot."""
    if sys.version_info >= (3, 11):  # noqa: UP036 (a newcomer's Python may be older than ours)
        return True
    print(f"The {what} needs Python 3.11 or newer; this is " + sys.version.split()[0], file=sys.stderr)
    return False


def enter(
    root: Path,
    folder: Path,
    script: Path,
    arguments: list[str],
    distributions: tuple[str, ...] = DISTRIBUTIONS,
) -> None:
    """Return inside the environment of `folder`: outside of it `script` begins anew there. Raises `Failed`."""
    python = str(prepare(root, folder, distributions))
    if not inside(folder):
        os.execv(python, [python, str(script), *arguments])


def inside(folder: Path) -> bool:
    """Whether this Python runs in the environment of `folder`."""
    return Path(sys.prefix).resolve() == _home(folder)


def prepare(root: Path, folder: Path, distributions: tuple[str, ...] = DISTRIBUTIONS) -> Path:
    """The environment's Python, installed anew when it is missing or out of date. Raises `Failed`."""
    home, stamp = _home(folder), folder / "installed"
    python = home / "bin" / "python"
    wanted = _fingerprint(root, distributions)
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    if inside(folder):
        raise Failed(f"{home} is out of date. Run the demo with the Python that you made it with.")
    folder.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    shutil.rmtree(home, ignore_errors=True)
    log = folder / "install.log"
    started = time.monotonic()
    make, install = _commands(home, python)
    editable = [argument for path in distributions for argument in ("-e", str(root / path))]
    for say, command in (
        (f"making an environment in {folder}", make),
        ("installing the gateway and the simulated models (once)", [*install, *editable, *LIBRARIES]),
    ):
        _run(say, command, log)
    stamp.write_text(wanted)
    print(f"demo: installed in {time.monotonic() - started:.0f} s", file=sys.stderr)
    return python


def _home(folder: Path) -> Path:
    return (folder / "venv").resolve()


def _commands(home: Path, python: Path) -> tuple[list[str], list[str]]:
    """How to make the environment and how to install into it; uv is quicker, where it is there."""
    if importlib.util.find_spec("uv") is not None:
        uv = [sys.executable, "-m", "uv", "--quiet"]
        return [*uv, "venv", "--python", sys.executable, str(home)], [*uv, "pip", "install", "--python", str(python)]
    make = [sys.executable, "-m", "venv", str(home)]
    return make, [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def _run(say: str, command: list[str], log: Path) -> None:
    """Run `command` behind one line that tells how long it takes; its own words are shown only if it fails."""
    live = sys.stderr.isatty()
    print(f"demo: {say}", end="" if live else "\n", file=sys.stderr, flush=True)
    started = time.monotonic()
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as running:
        try:
            while running.poll() is None:
                try:
                    running.wait(_REDRAW_SECONDS)
                except subprocess.TimeoutExpired:
                    if live:
                        seconds = time.monotonic() - started
                        print(f"\rdemo: {say} ... {seconds:.0f} s", end="", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            running.terminate()
            raise
    if live:
        print(file=sys.stderr)
    if running.returncode:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-_SHOWN_LINES:])
        no_venv = command[1:3] == ["-m", "venv"]
        mend = "install your system's package for venv (Debian: python3-venv)" if no_venv else f"see {log}"
        raise Failed(f"{last}\ndemo: this failed: {say}. To mend it, {mend}.")


def _fingerprint(root: Path, distributions: tuple[str, ...]) -> str:
    digest = hashlib.sha256(f"{sys.version}{LIBRARIES}".encode())
    for path in distributions:
        metadata = root / path / "pyproject.toml"
        digest.update(str(metadata).encode() + metadata.read_bytes())
    return digest.hexdigest()
