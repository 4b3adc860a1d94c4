"""The file that says who signed a manifest: made of a key, and believed only for a key that is trusted.

What the manifest says is not looked at here.
"""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Final

from routeiq_routing_ml.artifact import canonical
from routeiq_routing_ml.artifact.errors import ArtifactError
from routeiq_routing_ml.artifact.keys import SigningKey, TrustedKeys

MOST_BYTES: Final = 1024
"""The longest file of this kind."""

_KEY_ID = re.compile(r"[0-9a-f]{16}")


def sign(key: SigningKey, data: bytes) -> bytes:
    """The content of the file: canonical JSON of the key's id and its Ed25519 signature over `data`, in base64."""
    return canonical.encode({"key": key.id, "signature": base64.b64encode(key.sign(data)).decode()})


def verify(path: Path, content: bytes, data: bytes, trusted: TrustedKeys) -> str:
    """The id of the trusted key that signed exactly `data`. `path` is for the message. There is one spelling of each
    signature and all others are refused. Raises `ArtifactError`.
    """
    if not trusted:
        mend = "put the .pub file of who trained it into the folder of trusted keys."
        raise ArtifactError(path, "no key is trusted, so nothing can be verified.", mend)
    again = "copy the whole folder again from where it was trained."
    try:
        key, value = _fields(content)
    except ValueError:
        raise ArtifactError(path, "not a signature.", again) from None
    if key not in trusted:
        mend = "if you know who trained it, put their .pub file into the folder of trusted keys."
        raise ArtifactError(path, f"signed by the key {key}, which is not trusted.", mend)
    if not trusted.verify(key, value, data):
        raise ArtifactError(path, "the signature does not fit the manifest.", again)
    return key


def _fields(content: bytes) -> tuple[str, bytes]:
    raw = canonical.decode_canonical(content)
    if not isinstance(raw, dict) or raw.keys() != {"key", "signature"}:
        raise ValueError
    key, text = raw["key"], raw["signature"]
    if not isinstance(key, str) or not isinstance(text, str) or _KEY_ID.fullmatch(key) is None:
        raise ValueError
    value = base64.b64decode(text, validate=True)
    if len(value) != 64 or base64.b64encode(value).decode() != text:
        raise ValueError
    return key, value
