"""Run the whole test suite: `python3 tests/run.py [pytest arguments]`.

It needs Python 3.11 or newer with pip and nothing else: it makes its own environment in `.tests/`, installs all
distributions of
this repository there with what their tests need, and runs pytest over all of them. Servers that tests talk to are
started by the
tests. The benchmark has tools of its own; see `tests/bench/README.md`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".tests"
PYTHON = HOME / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = HOME / "installed"
SUITES = ("plugin_sdk/tests", "core/tests", "plugins", "tests")
GROUPS = ("test", "docs", "dev")
_SHOWN_LINES = 40
# Imports all that ours import, so that it is compiled once and not by each of a thousand processes: uv compiles
# nothing, and many machines tell Python to write no bytecode.
_COMPILE = """
import contextlib, importlib, pkgutil
for ours in [found.name for found in pkgutil.iter_modules() if found.name.startswith("routeiq")]:
    package = importlib.import_module(ours)
    for inner in pkgutil.walk_packages(getattr(package, "__path__", ()), ours + ".", onerror=lambda name: None):
        if not inner.name.endswith("__main__"):
            with contextlib.suppress(Exception, SystemExit):
                importlib.import_module(inner.name)
import litellm, pytest
"""


def main(arguments: list[str]) -> int:
    """Make the environment, run pytest; its exit code."""
    if sys.version_info < (3, 11):  # noqa: UP036 (a newcomer's Python may be older than ours)
        print("RouteIQ needs Python 3.11 or newer; this is " + sys.version.split()[0], file=sys.stderr)
        return 2
    environment()
    command = [str(PYTHON), "-m", "pytest", "--ignore=tests/bench"]
    if not any(argument.startswith(("-n", "--numprocesses", "--pdb")) for argument in arguments):
        command += ["-n", str(max(2, min(4, os.cpu_count() or 2)))]
    named = [
        argument for argument in arguments if not argument.startswith("-") and (ROOT / argument.split("::")[0]).exists()
    ]
    command += [*arguments, *(() if named else (suite for suite in SUITES if (ROOT / suite).exists()))]
    return subprocess.run(command, cwd=ROOT, env=_bare_environment(), check=False).returncode


def environment() -> Path:
    """The environment's Python, installed anew when a distribution's metadata changed."""
    wanted = _fingerprint()
    if PYTHON.exists() and STAMP.exists() and STAMP.read_text() == wanted:
        return PYTHON
    started = time.monotonic()
    _say(f"making the test environment in {HOME.relative_to(ROOT)}/")
    shutil.rmtree(HOME / "venv", ignore_errors=True)
    venv.create(HOME / "venv", with_pip=True)
    _run([str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv"], needed=False)
    _say("installing all distributions and what their tests need")
    _run([*_installer(), *_editable(), *_requirements()])
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    _run([str(PYTHON), "-c", _COMPILE], needed=False, environment=environment)
    STAMP.write_text(wanted)
    _say(f"ready after {time.monotonic() - started:.0f} s")
    return PYTHON


def _installer() -> list[str]:
    has_uv = subprocess.run([str(PYTHON), "-m", "uv", "--version"], capture_output=True, check=False).returncode == 0
    if has_uv:
        return [str(PYTHON), "-m", "uv", "pip", "install", "--quiet", "--python", str(PYTHON)]
    return [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def _editable() -> list[str]:
    folders = ["plugin_sdk", "core[litellm,uvicorn,granian]", *_plugins(), "tests/testkit"]
    return [argument for folder in folders for argument in ("-e", f"./{folder}")]


def _plugins() -> list[str]:
    return sorted(str(path.parent.relative_to(ROOT)) for path in ROOT.glob("plugins/*/pyproject.toml"))


def _requirements() -> list[str]:
    import tomllib

    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    return sorted({requirement for name in GROUPS for requirement in groups[name]})


def _fingerprint() -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path in [
        Path(__file__),
        ROOT / "pyproject.toml",
        *sorted(ROOT.glob("*/pyproject.toml")),
        *sorted(ROOT.glob("*/*/pyproject.toml")),
    ]:
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()


def _bare_environment() -> dict[str, str]:
    """Without provider keys: a test must not depend on, nor spend, what the developer has."""
    return {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_MASTER_KEY"))}


def _run(command: list[str], *, needed: bool = True, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode and needed:
        shown = "\n".join((done.stdout + done.stderr).splitlines()[-_SHOWN_LINES:])
        raise SystemExit(f"this failed: {' '.join(command)}\n{shown}")


def _say(text: str) -> None:
    print(f"tests: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
