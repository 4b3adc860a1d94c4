"""What a client carries for the gateway: encrypted, authenticated, bound to who may bring it back, visible ASCII.

What is inside is the business of whoever seals it.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from typing import Final

_NONCE: Final = 12
_KEY_ID: Final = 4
_TAG: Final = 16


class SealBroken(Exception):
    """Not ours, changed on the way, or brought by somebody else. Which of them is nobody's business."""


class Seal:
    """AES-256-GCM under keys of one purpose. The first key seals, all open."""

    def __init__(self, keys: Sequence[bytes], purpose: str) -> None:
        if not keys or min(map(len, keys)) < 32:
            raise ValueError("the door needs at least one key, and each has at least 32 bytes")
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        self._ring: dict[bytes, AESGCM] = {}
        for key in keys:
            derived = HKDF(SHA256(), 32, None, b"routeiq/mcp/" + purpose.encode()).derive(key)
            self._ring.setdefault(hashlib.sha256(b"id:" + derived).digest()[:_KEY_ID], AESGCM(derived))
        self._first = next(iter(self._ring))

    def close(self, content: bytes, bound: str) -> str:
        """Seal `content` so that only who says `bound` again can open it."""
        nonce = os.urandom(_NONCE)
        sealed = self._ring[self._first].encrypt(nonce, content, bound.encode("utf-8", "surrogatepass"))
        return base64.urlsafe_b64encode(self._first + nonce + sealed).rstrip(b"=").decode()

    def open(self, text: str, bound: str) -> bytes:
        """The content. Raises `SealBroken`."""
        from cryptography.exceptions import InvalidTag

        try:
            raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
        except ValueError:
            raise SealBroken from None
        # Of the spellings that base64 has for the same bytes only ours counts.
        if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
            raise SealBroken
        box = self._ring.get(raw[:_KEY_ID])
        if box is None or len(raw) < _KEY_ID + _NONCE + _TAG:
            raise SealBroken
        nonce, sealed = raw[_KEY_ID : _KEY_ID + _NONCE], raw[_KEY_ID + _NONCE :]
        try:
            return box.decrypt(nonce, sealed, bound.encode("utf-8", "surrogatepass"))
        except InvalidTag:
            raise SealBroken from None
