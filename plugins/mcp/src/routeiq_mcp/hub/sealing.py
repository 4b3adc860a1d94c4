"""The secrets of this plugin: one that seals what is kept (AES-256-GCM), one for the door.

What is sealed belongs to whoever asks; nothing here is ever shown.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from routeiq_sdk import Gateway, PluginError, RouteIQError, Secret
from routeiq_sdk.kept import kept_secret

_FILE = "secret"
_NONCE = 12
_MARK = b"m1"
_DOOR_TABLE = "mcp-door"
_SHORTEST = 16


class Unsealable(RouteIQError):
    """What was sealed cannot be opened with the secret of this gateway."""


class Sealer:
    """Seals with a secret."""

    def __init__(self, text: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._box = AESGCM(hashlib.sha256(b"routeiq mcp seal\0" + text).digest())

    def seal(self, value: bytes, place: str) -> bytes:
        """`value`, readable at `place` alone."""
        nonce = os.urandom(_NONCE)
        return _MARK + nonce + self._box.encrypt(nonce, value, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """What was sealed. Raises `Unsealable`."""
        from cryptography.exceptions import InvalidTag

        start = len(_MARK)
        if sealed[:start] == _MARK:
            nonce, body = sealed[start : start + _NONCE], sealed[start + _NONCE :]
            try:
                return self._box.decrypt(nonce, body, place.encode())
            except (InvalidTag, ValueError):
                pass
        raise Unsealable(
            f"{place} cannot be opened: routeiq.plugins.mcp.encryption_key (or the file `{_FILE}` in the plugin's "
            "folder of data_dir) is not the one it was sealed with"
        )


def secret_of(configured: Secret | None, folder: Path) -> bytes:
    """The configured secret, or a random one kept in `folder`."""
    return configured.reveal().encode() if configured is not None else _kept(folder / _FILE)


async def door_key(configured: Secret | None, gateway: Gateway) -> bytes:
    """The key of the door, the same in all replicas: of the configured secret, or the one that the first of them put
    into the shared state. It seals what clients carry, and nothing that is kept."""
    own = hashlib.sha256(b"routeiq mcp door\0" + secret_of(configured, gateway.data_dir)).digest()
    if configured is not None:
        return own
    await gateway.state.put_if(_DOOR_TABLE, "key", own, expected=None)
    return await gateway.state.get(_DOOR_TABLE, "key") or own


def _kept(path: Path) -> bytes:
    text = kept_secret(path)
    if len(text) < _SHORTEST:
        raise PluginError("mcp", f"{path} holds no secret", mend="restore it from a copy")
    return text
