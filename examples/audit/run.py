"""An audit trail that survives `kill -9` and shows who touched it: `python3 examples/audit/run.py`.

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
        "audited.tour",
        "Kill a gateway while it serves, verify its audit trail, forge one event, and verify again.",
        ("governance", "audit"),
    )
