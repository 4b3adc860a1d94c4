"""What a gateway tells of twenty requests, and to whom: `python3 examples/telemetry/run.py`.

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
        "observed.tour",
        "Send twenty requests and see the traces, metrics and webhooks that came of them.",
        ("otel", "prometheus", "callbacks"),
    )
