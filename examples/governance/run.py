"""A team with fifty dollars a day, from its first key to the refusal: `python3 examples/governance/run.py`.

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
        "governed.tour",
        "Give a team fifty dollars a day, spend them, and see the refusal and the ledger.",
        ("governance",),
    )
