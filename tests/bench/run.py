"""Entry point: `python tests/bench/run.py NAME [--json FILE] [options]`; `list` shows what there is.
Only the import path is set here; the command line lives in `bench.cli`."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> int:
    # The parent folder replaces this one on the path, so that our modules are `bench.*` and shadow nothing.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from bench.cli import main as run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
