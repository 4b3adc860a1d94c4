"""Whether a card is what its agent's maker signed (JWS over the canonical JSON of RFC 8785).

The gateway's own signature is made in `cards.signing`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from a2a.types import AgentCard
from a2a.utils.signing import SignatureVerificationError, create_signature_verifier
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import PyJWK
from jwt.exceptions import PyJWTError

_ALGORITHMS = ["ES256", "ES384", "RS256", "PS256", "EdDSA"]


class Untrusted(Exception):
    """No signature of the card is one of a trusted key."""


def checked_keys(keys: Sequence[str]) -> None:
    """Raises `ValueError` for what is no public key."""
    for key in keys:
        _loaded(key)


def verify(card: AgentCard, keys: Sequence[str]) -> None:
    """Raises `Untrusted` unless one of `keys` signed this card as it is."""
    for key in keys:
        loaded = _loaded(key)

        def provide(kid: str | None, jku: str | None, _key: Any = loaded) -> Any:
            return _key  # neither `kid` nor `jku` chooses: they are words of whoever wrote the card

        try:
            create_signature_verifier(provide, _ALGORITHMS)(card)
        except (SignatureVerificationError, PyJWTError, ValueError, TypeError):
            continue
        return
    raise Untrusted("is signed by none of the trusted keys" if card.signatures else "is not signed")


def _loaded(key: str) -> Any:
    text = key.strip()
    try:
        if text.startswith("{"):
            return PyJWK(json.loads(text))
        load_pem_public_key(text.encode())
    except (ValueError, PyJWTError, TypeError) as error:
        raise ValueError(f"a trusted key is neither a PEM public key nor a JWK: {type(error).__name__}") from None
    return text
