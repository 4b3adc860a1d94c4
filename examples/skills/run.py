"""Agent Skills in four ways: `python3 examples/skills/run.py`.

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
        "toured.tour",
        "Read two skills over HTTP discovery and over MCP, verify their digests, and upload a third.",
        ("skills", "mcp"),
    )
