"""The gateway's signature of the cards that it serves, and the public key by which it is checked.

Which card is signed is told in `cards.serving`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from a2a.types import AgentCard, AgentCardSignature
from a2a.utils.signing import ProtectedHeader, create_agent_card_signer
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt import api_jws

from routeiq_a2a.cards.canonical import canonical
from routeiq_sdk import PluginError, Secret
from routeiq_sdk.kept import kept_secret

JWKS_PATH = "/.well-known/jwks-a2a.json"
_ALGORITHM = "ES256"


class CardSigner:
    """Signs with one EC P-256 key."""

    def __init__(self, pem: bytes) -> None:
        try:
            key = load_pem_private_key(pem, None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise PluginError(
                "a2a",
                "sign_key is no private key of the curve P-256 in PEM",
                mend="make one: openssl ecparam -name prime256v1 -genkey -noout",
            )
        self._pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        numbers = key.public_key().public_numbers()
        public = {"crv": "P-256", "kty": "EC", "x": _number(numbers.x), "y": _number(numbers.y)}
        # RFC 7638: the key's own thumbprint names it.
        thumbprint = hashlib.sha256(json.dumps(public, separators=(",", ":"), sort_keys=True).encode()).digest()
        self.kid = _text(thumbprint)
        self.jwks: Mapping[str, Any] = {"keys": [{**public, "kid": self.kid, "use": "sig", "alg": _ALGORITHM}]}

    def sign(self, card: AgentCard, base: str) -> None:
        """Replace the signatures of a card by the gateway's: one over the form that the specification tells, one over
        the form that the library makes. Whoever checks takes the one that holds."""
        del card.signatures[:]
        header: ProtectedHeader = {"kid": self.kid, "alg": _ALGORITHM, "jku": base + JWKS_PATH, "typ": "JOSE"}
        signed = api_jws.encode(canonical(card), self._pem, _ALGORITHM, headers=dict(header))
        protected, _, signature = signed.split(".")
        card.signatures.append(AgentCardSignature(protected=protected, signature=signature))
        create_agent_card_signer(self._pem, header)(card)


def open_signer(configured: Secret | None, folder: Path) -> CardSigner:
    """The signer of the configured key, or of one kept in `folder`. Raises `PluginError`."""
    if configured is not None:
        return CardSigner(configured.reveal().encode())
    return CardSigner(kept_secret(folder / "card-signing.pem", _new_key))


def _new_key() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _number(value: int) -> str:
    return _text(value.to_bytes(32, "big"))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
