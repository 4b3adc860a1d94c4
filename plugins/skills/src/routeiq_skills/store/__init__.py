"""Skills as an immutable snapshot, read from where the operator keeps them.

How they are served is the faces' business.
"""

from __future__ import annotations
