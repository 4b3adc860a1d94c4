"""Sealing small values so that browsers can carry them: AES-256-GCM, one key a purpose, bound to that purpose.

What is sealed is told in `session` and `flow`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from routeiq_sdk import Secret
from routeiq_sdk.kept import kept_secret

_NONCE = 12
_LONGEST = 4096


class Sealer:
    """Seals and opens for one `purpose`; what another purpose sealed does not open."""

    def __init__(self, secret: Secret, purpose: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._purpose = purpose.encode()
        self._key = hmac.digest(
            hashlib.sha256(secret.reveal().encode()).digest(), b"routeiq-oidc:" + self._purpose, "sha256"
        )
        self._cipher = AESGCM(self._key)

    def seal(self, value: Mapping[str, Any]) -> str:
        """`value` as text for a cookie."""
        nonce = os.urandom(_NONCE)
        plain = json.dumps(value, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, plain, self._purpose)).decode().rstrip("=")

    def open(self, text: str) -> Mapping[str, Any] | None:
        """What was sealed, or `None` when this is nothing of ours."""
        from cryptography.exceptions import InvalidTag

        if len(text) > _LONGEST or not text.isascii():
            return None
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            value = json.loads(self._cipher.decrypt(raw[:_NONCE], raw[_NONCE:], self._purpose))
        except (binascii.Error, InvalidTag, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def sign(self, text: str) -> str:
        """A token that only we can make of `text`."""
        return hmac.new(self._key, b"sign:" + text.encode(), "sha256").hexdigest()


def session_secret(folder: Path) -> Secret:
    """The secret of this gateway's data folder, made when it is first needed; all workers of a machine share it."""
    return Secret(kept_secret(folder / "session.key").decode("ascii"))
