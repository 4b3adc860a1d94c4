"""Ids of requests: random, unguessable, of one form.

Ids of decisions are derived from them.
"""

from __future__ import annotations

import os
import uuid


def new_request_id() -> str:
    """A random UUID as text."""
    return str(uuid.UUID(bytes=os.urandom(16), version=4))
