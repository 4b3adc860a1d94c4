"""Guards at work: what the provider saw, and what the client got: `python3 examples/guardrails/run.py`.

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
        "guarded.tour",
        "Send prompts with personal data, a credential, an attack and a forbidden word past four guards.",
        ("guard-pii", "guard-secrets", "guard-injection", "guard-content"),
    )
