"""Public keys (RFC 7517): which of a key set's entries may verify what, and the verification itself.

Where key sets come from is `keyset`'s business.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from routeiq_oauth.resource.strict import Token

log = logging.getLogger(__name__)

_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_PUBLIC = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_SHORTEST_RSA = 2048
_MOST_KEYS = 32


@dataclass(frozen=True, slots=True)
class Key:
    """One public key. `thumbprint` (RFC 7638) tells it from every other, whatever its `kid`; `key` is joserfc's."""

    kid: str | None
    thumbprint: str
    algorithms: frozenset[str]
    key: Any

    def signed(self, token: Token) -> bool:
        """Whether this key made the token's signature. An algorithm that is not the key's never does."""
        from joserfc.errors import JoseError
        from joserfc.jws import JWSRegistry

        if token.algorithm not in self.algorithms:
            return False
        try:
            return bool(JWSRegistry.algorithms[token.algorithm].verify(token.signed, token.signature, self.key))
        except (JoseError, ValueError):
            return False


def signer_of(token: Token, keys: Iterable[Key]) -> Key | None:
    """The key that made the token's signature. A token that names its key is asked of that key alone; addresses of keys
    in a token's header (`jku`, `x5u`, `jwk`, `x5c`) are never looked at."""
    for key in keys:
        if (token.key_id is None or key.kid in (None, token.key_id)) and key.signed(token):
            return key
    return None


def read_keys(document: Any, accepted: Iterable[str]) -> tuple[Key, ...]:
    """The usable public keys of a key set. Others (symmetric, weak, for encryption, unknown) are left out.

    Raises `ValueError` for what is no key set.
    """
    rows = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(rows, list):
        raise ValueError("not a JSON web key set")
    allowed = frozenset(accepted)
    found = [_read(row, allowed) for row in rows[:_MOST_KEYS] if isinstance(row, Mapping)]
    return tuple(key for key in found if key is not None)


def _read(row: Mapping[str, Any], allowed: frozenset[str]) -> Key | None:
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry

    kty, kid = row.get("kty"), row.get("kid")
    if not isinstance(kty, str) or kty not in _PUBLIC or not isinstance(kid, str | None):
        return None
    operations = row.get("key_ops", ["verify"])
    if row.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    public: dict[str, Any] = {"kty": kty, **{name: row.get(name) for name in _PUBLIC[kty]}}
    algorithms = _algorithms(public) & allowed
    if "alg" in row:
        algorithms &= {row["alg"]} if isinstance(row["alg"], str) else frozenset()
    if not algorithms:
        return None
    try:
        key = JWKRegistry.import_key(public)
        size = getattr(key.raw_value, "key_size", 0)
        thumbprint = key.thumbprint()
    except (JoseError, ValueError, TypeError) as error:
        log.warning("a key of the issuer cannot be used: kid %r, %s", kid, error)
        return None
    if kty == "RSA" and size < _SHORTEST_RSA:
        return None
    return Key(kid, thumbprint, algorithms, key)


def _algorithms(public: Mapping[str, Any]) -> frozenset[str]:
    """What a key of this type and curve can verify, whatever anybody says about it."""
    if public["kty"] == "RSA":
        return _RSA
    curve = public["crv"]
    if public["kty"] == "OKP":
        return frozenset({"EdDSA"}) if curve == "Ed25519" else frozenset()
    return frozenset({_CURVES[curve]}) if isinstance(curve, str) and curve in _CURVES else frozenset()
