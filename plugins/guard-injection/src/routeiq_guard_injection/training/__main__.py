"""`python -m routeiq_guard_injection.training [FILE]`: train the classifier anew and write its weights.

It needs `pip install routeiq-guard-injection[train]` and takes some seconds.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from importlib.metadata import version
from pathlib import Path

from routeiq_guard_injection import model
from routeiq_guard_injection.training.grammar import read
from routeiq_guard_injection.training.learning import exported, learnt

SEED = 20240817
TIMES = 24
"""Examples of each template."""


def main(arguments: list[str]) -> int:
    """Train, write, and say the digest that the code has to hold."""
    parser = argparse.ArgumentParser(prog="python -m routeiq_guard_injection.training", description=__doc__)
    parser.add_argument(
        "file", nargs="?", type=Path, default=Path(model.__file__).with_name(model.WEIGHTS), help="where weights go"
    )
    file: Path = parser.parse_args(arguments).file
    examples = read().written(SEED, TIMES)
    content = exported(
        learnt(examples),
        {"seed": SEED, "examples": len(examples), "data": "synthetic", "scikit-learn": version("scikit-learn")},
    )
    file.write_bytes(content)
    sys.stdout.write(f"{file}: {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
