"""MCP behind the gateway: one server, a virtual server that shows less of it, a tool that changes: `run.py`.

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
        "library.tour",
        "List and call tools through a virtual server, and see what becomes of a tool that changes.",
        ("mcp",),
    )
