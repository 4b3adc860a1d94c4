"""Learned routing from recorded outcomes to a serving gateway: `python3 examples/learned-routing/run.py`.

It needs Python 3.11 or newer and nothing else: the first run makes an environment of its own in `.demo/`.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

if __name__ == "__main__":
    from live_demo import example

    example.run(
        HERE,
        "learned.tour",
        "Record outcomes of simulated models, train a router on them, and ask a gateway that serves it.",
        ("routing-ml",),
    )
