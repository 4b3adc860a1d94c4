"""Keys that sign artifacts and the set of keys that are trusted: how they lie on disk and what is refused of them.

What is signed is the loader's and the writer's business.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from routeiq_routing_ml.artifact import files
from routeiq_routing_ml.artifact.errors import ArtifactError

PRIVATE: Final = "signing.key"
PUBLIC_SUFFIX: Final = ".pub"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PUBLIC = re.compile(r"[A-Za-z0-9+/]{43}=")
_MOST_BYTES: Final = 4096
_FIELD: Final = 2**255 - 19
_SMALL_ORDER: Final = frozenset(
    {
        0, 1, _FIELD - 1, _FIELD, _FIELD + 1,
        2707385501144840649318225287225658788936804267575313519463743609750303402022,
        _FIELD - 2707385501144840649318225287225658788936804267575313519463743609750303402022,
    }
)  # fmt: skip
"""y of the points of order 1 to 8. For such a "key" anybody can make signatures (RFC 8032, section 5.1.7 leaves it to
the reader to refuse them), and a file of zeros is one.
"""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SigningKey:
    """An Ed25519 key (RFC 8032) that signs artifacts. Its text says the key id and nothing secret."""

    _private: Ed25519PrivateKey

    @property
    def public(self) -> bytes:
        """The 32 bytes that others check signatures by."""
        return self._private.public_key().public_bytes_raw()

    @property
    def id(self) -> str:
        """See `key_id`."""
        return key_id(self.public)

    def sign(self, data: bytes) -> bytes:
        """A signature of 64 bytes; equal data has equal signatures."""
        return self._private.sign(data)

    def __repr__(self) -> str:
        return f"SigningKey({self.id})"


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """Public keys by their id: who signs with one of them is believed."""

    by_id: Mapping[str, bytes]

    def verify(self, key: str, signature: bytes, data: bytes) -> bool:
        """Whether the trusted key with the id `key` signed exactly `data`. An unknown id is not believed."""
        public = self.by_id.get(key)
        if public is None:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
        except InvalidSignature:
            return False
        return True

    def __contains__(self, key: object) -> bool:
        return key in self.by_id

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_id)

    def __len__(self) -> int:
        return len(self.by_id)


def key_id(public: bytes) -> str:
    """The first 16 hex digits of the key's sha256: enough to name it, and what signatures carry."""
    return hashlib.sha256(public).hexdigest()[:16]


def generate(folder: Path | str, *, name: str = "signing") -> SigningKey:
    """Make a key: `signing.key` (PEM PKCS8, mode 0600) and `NAME.pub` in `folder`. Raises `ArtifactError` when there
    is a `signing.key` already: it is never overwritten.
    """
    folder = Path(folder)
    if _NAME.fullmatch(name) is None:
        raise ArtifactError(folder, "not a name for a key.", "use letters, digits, dots, lines and underlines.")
    key = SigningKey(Ed25519PrivateKey.generate())
    pem = key._private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.create(folder / PRIVATE, pem, mode=0o600)
    except FileExistsError:
        mend = "use it, or move it away first; artifacts that it signed stay valid while its .pub is trusted."
        raise ArtifactError(folder / PRIVATE, "a signing key is there already.", mend) from None
    except OSError as error:
        mend = "give the trainer a folder it may write to."
        raise ArtifactError(folder, f"a signing key cannot be written: {error.strerror}.", mend) from None
    _publish(folder / f"{name}{PUBLIC_SUFFIX}", key.public)
    return key


def signing_key(folder: Path | str, *, name: str = "signing") -> SigningKey:
    """The key of `folder`; a first call makes it, also when several processes call at once. A public file that is
    missing is written again. Raises `ArtifactError`.
    """
    folder = Path(folder)
    if not os.path.lexists(folder / PRIVATE):
        try:
            return generate(folder, name=name)
        except ArtifactError:
            if not os.path.lexists(folder / PRIVATE):
                raise
    key = _private(folder)
    if key.public not in trusted(folder).by_id.values():
        _publish(folder / f"{name}{PUBLIC_SUFFIX}", key.public)
    return key


def trusted(folder: Path | str, extra: Sequence[str | Path] = ()) -> TrustedKeys:
    """All keys that are trusted: each `*.pub` of `folder` (no folder, no key), and `extra`, in which a text is a public
    key in base64 or else, like a path, the name of a `.pub` file. Raises `ArtifactError` for the first broken one.
    """
    folder = Path(folder)
    found: dict[str, bytes] = {}
    for path in sorted(folder.glob(f"*{PUBLIC_SUFFIX}")):
        _add(found, _public(_inside(path, folder)), path)
    for item in extra:
        if isinstance(item, str) and _PUBLIC.fullmatch(item.strip()):
            _add(found, _decode(item, "trusted key"), "trusted key")
        else:
            path = Path(item)
            _add(found, _public(_inside(path, path.parent)), path)
    return TrustedKeys(MappingProxyType(found))


def _add(found: dict[str, bytes], public: bytes, path: Path | str) -> None:
    if found.setdefault(key_id(public), public) != public:
        raise ArtifactError(path, "another key has the same id.", "make a new key.")


def _private(folder: Path) -> SigningKey:
    path = folder / PRIVATE
    broken = "restore it from a backup, or move it away and a new one is made."
    data, status = files.read(_inside(path, folder), _MOST_BYTES)
    if status.st_mode & 0o077:
        raise ArtifactError(path, "others may read this private key.", f"chmod 600 {path}, or make a new key.")
    try:
        private = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ArtifactError(path, "not a private key in PEM form without a password.", broken) from None
    if not isinstance(private, Ed25519PrivateKey):
        raise ArtifactError(path, "not an Ed25519 key.", broken)
    return SigningKey(private)


def _public(path: Path) -> bytes:
    data, _ = files.read(path, _MOST_BYTES)
    return _decode(data.decode("ascii", errors="replace"), path)


def _decode(text: str, path: Path | str) -> bytes:
    mend = "copy the .pub file that was written beside the signing key."
    try:
        public = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        public = b""
    if len(public) != 32 or base64.b64encode(public).decode() != text.strip():
        raise ArtifactError(path, "not a public key: 32 bytes in base64, in one line.", mend)
    if int.from_bytes(public, "little") & (2**255 - 1) in _SMALL_ORDER:
        raise ArtifactError(path, "not a public key: anybody can sign for it.", mend)
    return public


def _publish(path: Path, public: bytes) -> None:
    try:
        files.replace(path, base64.b64encode(public) + b"\n", mode=0o644)
    except OSError as error:
        mend = "give the trainer a folder it may write to."
        raise ArtifactError(path, f"the public key cannot be written: {error.strerror}.", mend) from None


def _inside(path: Path, folder: Path) -> Path:
    """The file itself. Links are followed inside the folder only, as mounted secrets have them."""
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError):
        raise ArtifactError(path, "no such file.", "name a key file that exists.") from None
    if not real.is_relative_to(folder.resolve()):
        raise ArtifactError(path, "a link that leaves its folder.", "put the key itself there.")
    return real
