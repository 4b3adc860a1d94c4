"""The Merkle tree hash of a list of leaves (RFC 6962, section 2.1), with SHA-256.

What a leaf is, is the caller's business.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

EMPTY = hashlib.sha256(b"").hexdigest()


def root(leaves: Sequence[bytes]) -> str:
    """The root in hex. A tree is split at the largest power of two below its size, so a level is made of the pairs of
    the level before, an odd one moving up as it is."""
    if not leaves:
        return EMPTY
    level = [hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves]
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        above = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs]
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return level[0].hex()
