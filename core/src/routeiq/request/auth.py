"""Finding the caller's credential in its headers, and the master key, which the core knows without any plugin.

Virtual keys, users and their rights are plugins' business.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from routeiq_sdk import Principal, Secret
from routeiq_sdk.secret import MASK
from routeiq_sdk.values.http import Headers

_SCHEMES = ("bearer ", "basic ")
_SIGV4 = re.compile(r"Credential=Bearer\s+([^/,\s]+)", re.IGNORECASE)
_PLAIN = ("api-key", "x-api-key", "x-goog-api-key", "ocp-apim-subscription-key")
_CARRIERS = ("authorization", "x-litellm-api-key", "cookie", "proxy-authorization", *_PLAIN)
_SHORTEST_CONCEALED = 6  # shorter ones are words that would be masked everywhere


def credential(headers: Headers, own_header: str | None) -> str | None:
    """The credential, looked for where LiteLLM looks, in its order."""
    for name in (own_header, "x-litellm-api-key"):
        if name:
            value = headers.get(name)
            if value:
                return _unscheme(value)
    authorization = headers.get("authorization")
    if authorization:
        signed = _SIGV4.search(authorization)
        return signed.group(1) if signed else _unscheme(authorization)
    for name in _PLAIN:
        value = headers.get(name)
        if value:
            return value
    return None


def secret_credential(headers: Headers, own_header: str | None) -> Secret | None:
    """`credential` as what cannot be printed."""
    told = credential(headers, own_header)
    return Secret(told) if told is not None else None


def conceal(text: str, headers: Headers) -> str:
    """`text` without the credentials that these headers carry: a plugin may have put one into its error's text."""
    for name in _CARRIERS:
        value = headers.get(name)
        if value:
            for shown in (value, _unscheme(value)):
                if len(shown) >= _SHORTEST_CONCEALED:
                    text = text.replace(shown, MASK)
    return text


def _unscheme(value: str) -> str:
    lower = value[:7].lower()
    for scheme in _SCHEMES:
        if lower.startswith(scheme):
            return value[len(scheme) :].strip()
    return value.strip()


class MasterKey:
    """Compares a credential with the master key in constant time."""

    def __init__(self, key: Secret) -> None:
        self._digest = hashlib.sha256(key.reveal().encode()).digest()
        self._principal = Principal("master", kind="admin", alias="master key")

    def authenticate(self, told: str) -> Principal | None:
        """The admin principal, or `None`. Hashing first makes the time independent of the length, too."""
        digest = hashlib.sha256(told.encode("utf-8", "surrogateescape")).digest()
        return self._principal if hmac.compare_digest(digest, self._digest) else None
