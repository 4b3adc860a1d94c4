"""The vault's keys: AES-256-GCM, each sealed text bound to its place, the first key writing and all of them reading.

What is sealed, and where it lies, is told elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from routeiq_sdk import PluginError, RouteIQError, Secret
from routeiq_sdk.kept import kept_secret

_FILE = "vault.key"
_NONCE = 12
_ID = 8
_MARK = b"o1"
_SHORTEST = 32


class Unsealable(RouteIQError):
    """What was sealed cannot be opened: no key of this gateway made it, or it was moved or changed."""


class Keyring:
    """Seals with the first key, opens with any. A sealed text names its key, so rotation needs no trying."""

    def __init__(self, texts: Sequence[bytes]) -> None:
        self._boxes: dict[bytes, AESGCM] = {}
        for text in texts:
            id = hashlib.sha256(b"routeiq vault key id\0" + text).digest()[:_ID]
            self._boxes[id] = AESGCM(hashlib.sha256(b"routeiq vault\0" + text).digest())
        self._first = next(iter(self._boxes))
        self._mac = hashlib.sha256(b"routeiq vault mac\0" + texts[0]).digest()

    def seal(self, plain: bytes, *place: str) -> bytes:
        """`plain`, readable at `place` alone."""
        nonce = os.urandom(_NONCE)
        box = self._boxes[self._first]
        return _MARK + self._first + nonce + box.encrypt(nonce, plain, _bound(place, self._first))

    def open(self, sealed: bytes, *place: str) -> bytes:
        """What was sealed for `place`. Raises `Unsealable`."""
        id, nonce, body = sealed[2:10], sealed[10:22], sealed[22:]
        box = self._boxes.get(id) if sealed[:2] == _MARK else None
        if box is not None:
            try:
                return box.decrypt(nonce, body, _bound(place, id))
            except (InvalidTag, ValueError):
                pass
        raise Unsealable("a sealed record cannot be opened. Mend: list the key that sealed it in vault_keys, too")

    def is_old(self, sealed: bytes) -> bool:
        """Whether a later key than the one that sealed this is in use."""
        return sealed[2:10] != self._first

    def sign(self, *parts: str) -> str:
        """A text that only this gateway can make of `parts`, such as a form's token."""
        return hmac.digest(self._mac, _bound(parts, b""), "sha256").hex()


def _bound(place: Sequence[str], id: bytes) -> bytes:
    """Associated data: unlike a joined text, no two places give the same."""
    return id + json.dumps(place, separators=(",", ":")).encode()


def open_keyring(configured: Sequence[Secret], folder: Path, *, shared: bool, plugin: str = "oauth") -> Keyring:
    """The keys of `vault_keys` (the newest first), else a random one kept in `folder`.

    Raises `PluginError` when none is configured though replicas may share the database (`shared`): each would make
    another.
    """
    texts = [secret.reveal().encode() for secret in configured]
    if any(len(text) < _SHORTEST for text in texts):
        raise PluginError(plugin, f"a key in vault_keys is shorter than {_SHORTEST} characters", mend="a longer one")
    if not texts and shared:
        raise PluginError(
            plugin,
            "database_url names a database that replicas may share, and vault_keys is empty",
            mend="vault_keys: [os.environ/ROUTEIQ_VAULT_KEY], the same everywhere",
        )
    return Keyring(texts or [_kept(folder / _FILE, plugin)])


def _kept(path: Path, plugin: str) -> bytes:
    text = kept_secret(path)
    if len(text) < _SHORTEST:
        raise PluginError(plugin, f"{path} holds no key", mend="restore it from a copy")
    return text
