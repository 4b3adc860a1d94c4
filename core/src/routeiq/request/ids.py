"""Ids of requests: random, unguessable, of one form.

Ids of decisions are derived from them.
"""

from __future__ import annotations

import os


def new_request_id() -> str:
    """A random UUID (RFC 9562, version 4) as text; written by hand, since `uuid.UUID` costs several times as much."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
