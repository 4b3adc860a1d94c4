"""Makes `bench` importable for its own tests, as `run.py` does for a run.
No fixtures of other parts belong here."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
