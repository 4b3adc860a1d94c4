"""The secret of this installation: it seals what must be read again (AES-256-GCM), and peppers what is only compared.

What is sealed belongs to whoever asks; keys of callers are never sealed, they are not kept at all.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from routeiq_sdk import PluginError, RouteIQError, Secret
from routeiq_sdk.kept import kept_secret

_FILE = "secret"
_NONCE = 12
_MARK = b"r1"
_SHORTEST = 16


class Unsealable(RouteIQError):
    """What was sealed cannot be opened with any secret of this installation."""


class Sealer:
    """Seals and peppers with the first of its secrets, opens and verifies with any (so that a secret can be changed).
    `peppers` are secrets of their own for the verifiers; without them those are derived from `texts`."""

    def __init__(self, texts: Sequence[bytes], peppers: Sequence[bytes] = ()) -> None:
        self._boxes = [AESGCM(hashlib.sha256(b"routeiq seal\0" + text).digest()) for text in texts]
        self._peppers = [hashlib.sha256(b"routeiq pepper\0" + text).digest() for text in peppers or texts]

    def seal(self, value: bytes, place: str) -> bytes:
        """`value`, readable at `place` alone: a sealed row cannot be moved to another one."""
        nonce = os.urandom(_NONCE)
        return _MARK + nonce + self._boxes[0].encrypt(nonce, value, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """What was sealed. Raises `Unsealable`."""
        if sealed[: len(_MARK)] == _MARK:
            nonce, body = sealed[len(_MARK) : len(_MARK) + _NONCE], sealed[len(_MARK) + _NONCE :]
            for box in self._boxes:
                try:
                    return box.decrypt(nonce, body, place.encode())
                except (InvalidTag, ValueError):
                    continue
        raise Unsealable(f"{place} cannot be opened: is `encryption_key` the one it was sealed with?")

    def verifier(self, text: str) -> str:
        """HMAC-SHA-256 (hex) of a credential under the pepper. A fast hash is right for secrets of 256 random bits."""
        return _verifier(self._peppers[0], text)

    def verifies(self, text: str, verifier: str) -> bool | None:
        """Whether a credential is the one of this verifier, compared in constant time: `None` when it is, under a
        pepper that is no longer the first one."""
        if hmac.compare_digest(_verifier(self._peppers[0], text), verifier):
            return True
        older = [hmac.compare_digest(_verifier(pepper, text), verifier) for pepper in self._peppers[1:]]
        return None if any(older) else False


def open_sealer(configured: Sequence[Secret], folder: Path, *, shared: bool, peppers: Sequence[Secret] = ()) -> Sealer:
    """The sealer of the configured secrets (the newest first), or of a random one kept in `folder`.

    Raises `PluginError` when none is configured though the database may be `shared` by replicas, each of which would
    make another.
    """
    texts, own = _texts("encryption_key", configured), _texts("pepper", peppers)
    if texts:
        return Sealer(texts, own)
    if shared:
        raise PluginError(
            "governance",
            "the database is PostgreSQL, which replicas may share, and no encryption_key is configured",
            mend="routeiq.plugins.governance: {encryption_key: os.environ/ROUTEIQ_ENCRYPTION_KEY}, the same everywhere",
        )
    return Sealer([_kept(folder / _FILE)], own)


def _texts(name: str, configured: Sequence[Secret]) -> list[bytes]:
    texts = [secret.reveal().encode() for secret in configured]
    if any(len(text) < _SHORTEST for text in texts):
        raise PluginError("governance", f"{name} is shorter than {_SHORTEST} characters", mend="a longer one")
    return texts


def _verifier(pepper: bytes, text: str) -> str:
    return hmac.digest(pepper, text.encode("utf-8", "surrogateescape"), "sha256").hex()


def _kept(path: Path) -> bytes:
    text = kept_secret(path)
    if len(text) < _SHORTEST:
        raise PluginError("governance", f"{path} holds no secret", mend="restore it from a copy")
    return text
