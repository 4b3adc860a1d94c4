"""Ed25519 keys (RFC 8032): the one that signs, made at the first start, and those that are trusted.

What is signed is canonical JSON.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from routeiq_audit.canonical import canonical
from routeiq_audit.durable import create_once, make_folders
from routeiq_sdk import PluginError, Secret

_SIGNATURE = "signature"


class Signer:
    """Signs documents. `key_id` names the public key: the first 16 hex digits of its SHA-256."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        public = key.public_key()
        self.key_id = key_id(public)
        self.public_pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @classmethod
    def open(cls, written: Secret | None, folder: Path) -> Signer:
        """The key of the configuration, or the one in `folder`, which is made when there is none. Raises
        `PluginError`."""
        if written is not None:
            return cls(_private(written.reveal().encode(), "signing_key"))
        path = folder / "signing-key.pem"
        if not path.exists():
            made = Ed25519PrivateKey.generate()
            make_folders(folder)
            pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            create_once(path, pem)  # another worker may have been first: its key is ours, too
        return cls(_private(path.read_bytes(), str(path)))

    def signed(self, document: Mapping[str, Any]) -> bytes:
        """The canonical JSON of a document with our signature in it."""
        told = {**document, "algorithm": "Ed25519", "key": self.key_id}
        signature = base64.b64encode(self._key.sign(canonical(told))).decode()
        return canonical({**told, _SIGNATURE: signature})


def key_id(public: Ed25519PublicKey) -> str:
    """The name of a public key."""
    return hashlib.sha256(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


class Trusted:
    """Public keys whose signatures count."""

    def __init__(self, pems: Iterable[bytes]) -> None:
        self._by_id: dict[str, Ed25519PublicKey] = {}
        for pem in pems:
            key = load_pem_public_key(pem)
            if not isinstance(key, Ed25519PublicKey):
                raise ValueError("not an Ed25519 public key")
            self._by_id[key_id(key)] = key

    def problem(self, document: Mapping[str, Any]) -> str | None:
        """What is wrong with a document's signature; `None` when nothing is."""
        key = self._by_id.get(str(document.get("key")))
        if key is None:
            return f"signed with the key {document.get('key')}, which is not trusted"
        unsigned = {name: value for name, value in document.items() if name != _SIGNATURE}
        try:
            key.verify(base64.b64decode(str(document.get(_SIGNATURE)), validate=True), canonical(unsigned))
        except (InvalidSignature, ValueError):
            return "the signature does not fit"
        return None


def _private(pem: bytes, where: str) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError) as error:
        raise PluginError("audit", f"{where} is no private key in PEM form", mend="use an Ed25519 key") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise PluginError("audit", f"{where} is no Ed25519 key", mend="`openssl genpkey -algorithm ed25519` makes one")
    return key


assert os.name == "posix"
