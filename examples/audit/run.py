"""An audit trail that survives `kill -9` and shows who touched it: `python3 examples/audit/run.py`.

It needs Python 3.11 or newer and nothing else: the first run makes an environment of its own in `.demo/`.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
HOME = ROOT / ".demo" / "audit"
sys.path[:0] = [str(HERE), str(HERE.parent)]


def main(arguments: list[str]) -> int:
    """Run the example, in its own environment unless told to stay in this one."""
    if sys.version_info < (3, 11):  # noqa: UP036 (a newcomer's Python may be older than ours)
        print("The example needs Python 3.11 or newer; this is " + sys.version.split()[0], file=sys.stderr)
        return 2
    options = parse(arguments)
    if not options.here:
        from live_demo import environment

        distributions = ("plugin_sdk", "core", "plugins/governance", "plugins/audit", "tests/testkit")
        try:
            python = str(environment.prepare(ROOT, options.folder, distributions))
        except environment.Failed as failure:
            print(failure, file=sys.stderr)
            return 1
        if not environment.inside(options.folder):
            os.execv(python, [python, str(Path(__file__).resolve()), *arguments])
    from audited.tour import run

    return run(options.folder, as_json=options.json)


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line; it ends the process when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python3 examples/audit/run.py",
        description="Kill a gateway while it serves, verify its audit trail, forge one event, and verify again.",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON; the rest goes to stderr")
    parser.add_argument("--folder", type=Path, default=HOME, help="where everything is put (default: .demo/...)")
    parser.add_argument("--here", action="store_true", help="stay in this Python, which has what the example needs")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
