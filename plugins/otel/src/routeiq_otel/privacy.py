"""What never leaves as it is: user ids leave hashed, and what looks like a key is masked in texts of errors.

Prompts and answers are the business of `content`.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

_KEY_LIKE = re.compile(
    r"\b(?:sk|pk|rk|xai|gsk|AIza|ghp|gho|hf|xox[abp]|AKIA|ASIA)[-_A-Za-z0-9]{8,}"
    r"|\b[Bb]earer\s+[^\s\"',]{6,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)
_MASK = "[masked]"
_LONGEST = 1000


@lru_cache(maxsize=4096)
def hashed(id: str) -> str:
    """The first 16 hex digits of the SHA-256 of an id: equal ids stay equal, and nobody is named."""
    return hashlib.sha256(id.encode("utf-8", "replace")).hexdigest()[:16]


def shown(message: str) -> str:
    """A text of an error, without what looks like a key, and not too long."""
    masked = _KEY_LIKE.sub(_MASK, message[: 2 * _LONGEST])
    return masked if len(masked) <= _LONGEST else masked[:_LONGEST] + "..."
