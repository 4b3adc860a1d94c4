"""The secrets of this installation: what seals rows and webhooks in the state store, and the key that signs cards.

What is sealed is told where it is kept.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from routeiq_sdk import RouteIQError, Secret
from routeiq_sdk.kept import kept_secret

_NONCE = 12


class Unsealable(RouteIQError):
    """What was sealed cannot be opened with this installation's secret."""


class Sealer:
    """AES-256-GCM, bound to the place where a value lies, so that it cannot be moved to another one."""

    def __init__(self, secret: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(hashlib.sha256(b"routeiq a2a\0" + secret).digest())

    def seal(self, value: bytes, place: str) -> bytes:
        """`value`, readable at `place` alone."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, value, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """What was sealed. Raises `Unsealable`."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], place.encode())
        except (InvalidTag, ValueError):
            raise Unsealable("it was sealed with another encryption_key") from None


def open_sealer(configured: Secret | None, folder: Path) -> Sealer:
    """The sealer of the configured secret, or of one kept in `folder`."""
    if configured is not None:
        return Sealer(configured.reveal().encode())
    return Sealer(kept_secret(folder / "seal.key"))
