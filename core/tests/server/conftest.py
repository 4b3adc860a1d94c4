"""Lets the test modules of this folder import their neighbours `processes` and `serving_app`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
