"""Lets the tests of this folder import their neighbour `pages`, and the code that makes the reference.

Fixtures come from the test kit.
"""

from __future__ import annotations

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(_HERE), str(_HERE.parents[1] / "docs")]
