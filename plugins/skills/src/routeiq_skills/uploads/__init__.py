"""Skills that callers bring: `/v1/skills`, kept here or at Anthropic.

What the operator's sources hold is not touched from here.
"""

from __future__ import annotations
