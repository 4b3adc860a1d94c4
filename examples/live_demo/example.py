"""What every example in a folder of its own begins with: its command line, an environment of its own, its tour.

It runs on a bare Python, so it imports the standard library only; the tour is imported once its environment is there.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from live_demo import environment

ROOT = Path(__file__).resolve().parent.parent.parent


def run(home: Path, tour: str, description: str, plugins: Sequence[str]) -> None:
    """Run the example in `home`, in its own environment unless told to stay in this one, and end the process.

    `tour` names the module whose `run` gives it, `plugins` the distributions that it needs beside the gateway.
    """
    try:
        sys.exit(_run(home, tour, description, plugins, sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)


def _run(home: Path, tour: str, description: str, plugins: Sequence[str], arguments: list[str]) -> int:
    if not environment.new_enough("example"):
        return 2
    options = _parse(home, description, arguments)
    if not options.here:
        distributions = ("plugin_sdk", "core", *(f"plugins/{name}" for name in plugins), "tests/testkit")
        try:
            environment.enter(ROOT, options.folder, home / "run.py", arguments, distributions)
        except environment.Failed as failure:
            print(failure, file=sys.stderr)
            return 1
    code: int = importlib.import_module(tour).run(options.folder, as_json=options.json)
    return code


def _parse(home: Path, description: str, arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python3 examples/{home.name}/run.py", description=description)
    parser.add_argument("--json", action="store_true", help="print the result as JSON; the rest goes to stderr")
    parser.add_argument(
        "--folder",
        type=Path,
        default=ROOT / ".demo" / home.name,
        help="where everything is put (default: .demo/...)",
    )
    parser.add_argument("--here", action="store_true", help="stay in this Python, which has what the example needs")
    return parser.parse_args(arguments)
