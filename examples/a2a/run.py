"""An agent behind the gateway, reached in both versions of A2A and as a model: `python3 examples/a2a/run.py`.

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
        "agency.tour",
        "Reach an agent through the gateway: its card, both versions of A2A, a stream, a model, and whose task it is.",
        ("a2a", "governance"),
    )
