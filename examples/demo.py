"""A gateway in front of simulated models, with a live table of what it chose and why: `python3 examples/demo.py`.

It needs Python 3.11 or newer and nothing else: the first run makes an environment of its own in `.demo/`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".demo"
MOST_QUESTIONS = 1000
sys.path.insert(0, str(ROOT / "examples"))


def main(arguments: list[str]) -> int:
    """Run the demo, in its own environment unless told to stay in this one."""
    from live_demo import environment

    if not environment.new_enough("demo"):
        return 2
    options = parse(arguments)
    if not options.here:
        try:
            environment.enter(ROOT, options.folder, Path(__file__).resolve(), arguments)
        except environment.Failed as failure:
            print(failure, file=sys.stderr)
            return 1
    from live_demo.tour import run

    return run(options)


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line; it ends the process when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python3 examples/demo.py",
        description="Ask simulated models through a real gateway, see what it chose and why, and leave it serving.",
    )
    parser.add_argument("--once", action="store_true", help="end after the summary instead of serving on")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON; the rest goes to stderr")
    parser.add_argument("--questions", type=_count, metavar="N", help="how many questions to ask (default: all)")
    parser.add_argument("--config", type=Path, default=ROOT / "examples" / "demo.yaml", help="the gateway's YAML")
    parser.add_argument(
        "--folder", type=Path, default=HOME, help="where the environment and the logs go (default: .demo)"
    )
    parser.add_argument("--here", action="store_true", help="stay in this Python, which has what the demo needs")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= MOST_QUESTIONS:
        raise argparse.ArgumentTypeError(f"between 1 and {MOST_QUESTIONS}")
    return count


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
