"""Public keys of an issuer (RFC 7517): which of a key set's entries may verify what, and the verification itself.

Where key sets come from is `keyset`'s business.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jwt import PyJWK

log = logging.getLogger(__name__)

_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_PUBLIC = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_SHORTEST_RSA = 2048
_MOST_KEYS = 32


@dataclass(frozen=True, slots=True)
class Key:
    """One public key. `thumbprint` (RFC 7638) tells it from every other, whatever its `kid`."""

    kid: str | None
    thumbprint: str
    verifiers: Mapping[str, PyJWK]

    def verifies(self, algorithm: str, signed: bytes, signature: bytes) -> bool:
        """Whether this key made the signature, by this algorithm. An algorithm that is not the key's never does."""
        verifier = self.verifiers.get(algorithm)
        return verifier is not None and bool(verifier.Algorithm.verify(signed, verifier.key, signature))


def read_keys(document: Any, accepted: Iterable[str]) -> tuple[Key, ...]:
    """The usable public keys of a key set. Others (symmetric, weak, for encryption, unknown) are left out.

    Raises `ValueError` for what is no key set.
    """
    rows = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(rows, list):
        raise ValueError("not a JSON web key set")
    allowed = frozenset(accepted)
    found = []
    for row in rows[:_MOST_KEYS]:
        key = _read(row, allowed) if isinstance(row, Mapping) else None
        if key is not None:
            found.append(key)
    return tuple(found)


def _read(row: Mapping[str, Any], allowed: frozenset[str]) -> Key | None:
    from jwt import PyJWK
    from jwt.exceptions import PyJWTError

    kty, kid = row.get("kty"), row.get("kid")
    if not isinstance(kty, str) or kty not in _PUBLIC or not isinstance(kid, str | None):
        return None
    operations = row.get("key_ops", ["verify"])
    if row.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    public = {"kty": kty, **{name: row.get(name) for name in _PUBLIC[kty]}}
    algorithms = _algorithms(public) & allowed
    if "alg" in row:
        algorithms &= {row["alg"]} if isinstance(row["alg"], str) else frozenset()
    try:
        verifiers = {algorithm: PyJWK(public, algorithm) for algorithm in algorithms}
    except (PyJWTError, ValueError, TypeError) as error:
        log.warning("a key of the issuer cannot be used: kid %r, %s", kid, error)
        return None
    if not verifiers or any(getattr(each.key, "key_size", _SHORTEST_RSA) < _least(kty) for each in verifiers.values()):
        return None
    canonical = json.dumps(public, sort_keys=True, separators=(",", ":"))
    return Key(kid, hashlib.sha256(canonical.encode()).hexdigest(), verifiers)


def _algorithms(public: Mapping[str, Any]) -> frozenset[str]:
    """What a key of this type and curve can verify, whatever anybody says about it."""
    if public["kty"] == "RSA":
        return _RSA
    curve = public["crv"]
    if public["kty"] == "OKP":
        return frozenset({"EdDSA"}) if curve == "Ed25519" else frozenset()
    return frozenset({_CURVES[curve]}) if isinstance(curve, str) and curve in _CURVES else frozenset()


def _least(kty: str) -> int:
    return _SHORTEST_RSA if kty == "RSA" else 0
