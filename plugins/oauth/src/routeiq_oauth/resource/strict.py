"""Reading a JSON web token (RFC 7515, RFC 7519) without any leniency: one encoding, no key twice, no `crit`.

Nothing is verified here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from routeiq_oauth.resource.refusal import Refused

LONGEST = 16 * 1024
"""Bytes of a token."""
_SHAPE = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Token:
    """A token that was read and not yet believed."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes

    @property
    def algorithm(self) -> str:
        """What its header says signed it."""
        return str(self.header["alg"])

    @property
    def key_id(self) -> str | None:
        """Which key its header says signed it."""
        kid = self.header.get("kid")
        return kid if isinstance(kid, str) else None


def digest(text: str) -> bytes:
    """What a token is remembered by: never a part of it, always all of it."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def is_token(text: str) -> bool:
    """Whether a credential is a JSON web token at all, good or bad: three parts, the first a JSON object."""
    if len(text) > LONGEST:
        return text.startswith("eyJ") and text.count(".") == 2
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        return False
    try:
        return isinstance(json.loads(_decoded(shape[1])), dict)
    except (ValueError, RecursionError):
        return False


def read(text: str) -> Token:
    """Take a token apart. Raises `Refused`."""
    if len(text) > LONGEST:
        raise Refused("the token is too long")
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise Refused("this is not a JSON web token")
    try:
        header, claims = _object(shape[1]), _object(shape[2])
        signature = _decoded(shape[3])
    except (ValueError, RecursionError):
        raise Refused("the token is malformed") from None
    if not isinstance(header.get("alg"), str):
        raise Refused("the token names no signature algorithm")
    if "crit" in header or "b64" in header:
        raise Refused("the token asks for extensions that this gateway does not have")
    if not isinstance(header.get("kid", ""), str):
        raise Refused("the token is malformed")
    return Token(header, claims, text[: shape.end(2)].encode(), signature)


def strict_json(raw: bytes | str) -> Any:
    """JSON in which no object has a key twice and no number is infinite. Raises `ValueError` or `RecursionError`."""
    return json.loads(raw, object_pairs_hook=_once, parse_constant=_no_constant)


def _object(part: str) -> Mapping[str, Any]:
    value = strict_json(_decoded(part))
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _decoded(part: str) -> bytes:
    """base64url without padding, and only in the one spelling that encoding gives. Raises `ValueError`."""
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        raise ValueError("not base64url") from None
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != part.encode():
        raise ValueError("not the canonical base64url")
    return raw


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")
