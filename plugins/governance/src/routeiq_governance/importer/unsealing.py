"""Opens what a LiteLLM proxy sealed with its salt key: XSalsa20-Poly1305 (NaCl's secret box) as base64, or AES-256-GCM
behind a mark.

The key of both is the SHA-256 of the salt key; a proxy without one takes its master key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from routeiq_governance.importer.report import ImportFailed, LeftOut

_GCM = "v2:gcm:"
_NONCE = 12
_SHORTEST = 40
"""Bytes of NaCl's nonce and tag: a sealed text has at least as many."""


class Opener:
    """Opens texts and whole documents with one salt key."""

    def __init__(self, salt_key: str | None) -> None:
        self._key = hashlib.sha256(salt_key.encode()).digest() if salt_key else None
        self._box: Any = None

    def document(self, value: Any) -> Any:
        """A JSON value with every sealed text in it opened; other texts are as they are. Raises `LeftOut`."""
        if isinstance(value, dict):
            return {name: self.document(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.document(item) for item in value]
        return self.text(value) if isinstance(value, str) else value

    def text(self, text: str) -> str:
        """A text, opened if it is sealed. Raises `LeftOut` when another key sealed it."""
        sealed = _bytes(text)
        if sealed is None:
            return text
        if self._key is None:
            raise LeftOut("it is sealed, and no salt key was given (--salt-key)")
        opened = self._gcm(sealed) if text.startswith(_GCM) else self._nacl(sealed)
        if opened is None:
            raise LeftOut("it cannot be opened with this salt key")
        return opened

    def _gcm(self, sealed: bytes) -> str | None:
        assert self._key is not None
        try:
            return AESGCM(self._key).decrypt(sealed[:_NONCE], sealed[_NONCE:], None).decode()
        except (InvalidTag, ValueError):
            return None

    def _nacl(self, sealed: bytes) -> str | None:
        try:
            from nacl.exceptions import CryptoError
            from nacl.secret import SecretBox
        except ImportError:
            raise ImportFailed(
                "opening LiteLLM's sealed values needs PyNaCl: pip install 'routeiq-governance[import]'"
            ) from None
        if self._box is None:
            assert self._key is not None
            self._box = SecretBox(self._key)
        try:
            opened: bytes = self._box.decrypt(sealed)
            return opened.decode()
        except (CryptoError, ValueError):
            return None


def _bytes(text: str) -> bytes | None:
    """The bytes of a text that may be sealed; `None` for one that is not."""
    body = text.removeprefix(_GCM)
    if len(body) % 4 or not body.isascii():
        return None
    try:
        found = base64.b64decode(body.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if len(found) >= (_NONCE if text.startswith(_GCM) else _SHORTEST) else None
