"""What a virtual key looks like: made, masked, hashed, and what a caller may choose as one.

Looking keys up is `gate`'s business.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib

PREFIX = "sk-"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECK = 6
_SHORTEST = 16
LONGEST = 512
_ID = re.compile(r"[0-9a-f]{64}")
_CHOSEN = re.compile(r"sk-[\x21-\x7e]+")


def make_key() -> str:
    """`sk-`, 256 random bits, and six characters by which a scanner for secrets can tell a real key."""
    body = secrets.token_urlsafe(32)
    return f"{PREFIX}{body}{_checksum(body)}"


def is_token(text: str) -> bool:
    """Whether a text is a JSON Web Token rather than a key: an identity provider's business."""
    return text.startswith("eyJ") and text.count(".") == 2


def looks_made(text: str) -> bool:
    """Whether a text is a key that `make_key` may have made."""
    body, check = text.removeprefix(PREFIX)[:-_CHECK], text[-_CHECK:]
    return text.startswith(PREFIX) and bool(body) and check == _checksum(body)


def key_id(text: str) -> str:
    """The SHA-256 (hex) by which a key is found: the form in which LiteLLM stores keys."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def is_id(text: str) -> bool:
    """Whether a text is a key's id rather than a key."""
    return _ID.fullmatch(text) is not None


def id_of(text: str) -> str:
    """The id of a key that is named by itself or by its id."""
    return text if is_id(text) else key_id(text)


def masked(text: str) -> str:
    """What may be shown of a key."""
    return f"sk-...{text[-4:]}"


def is_choosable(text: str) -> bool:
    """Whether a caller may choose this text as a key: `sk-`, then printable ASCII, 16 to 512 characters in all."""
    return _SHORTEST <= len(text) <= LONGEST and _CHOSEN.fullmatch(text) is not None


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = ""
    for _ in range(_CHECK):
        number, digit = divmod(number, len(_ALPHABET))
        digits += _ALPHABET[digit]
    return digits
