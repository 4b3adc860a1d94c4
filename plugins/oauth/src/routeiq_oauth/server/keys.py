"""The keys that sign this server's tokens: configured, or made in the data folder; the current one and earlier ones.

What tokens say is told in `issuing`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from routeiq_oauth.resource.jwk import Key
from routeiq_oauth.server.config import AuthorizationServer
from routeiq_sdk import PluginError
from routeiq_sdk.kept import kept_secret

ALGORITHM = "ES256"
_FILE = "signing.pem"


class SigningKeys:
    """Signs with the first key; the others only verify."""

    def __init__(self, signing: ECKey, previous: tuple[ECKey, ...]) -> None:
        self._signing = signing
        self._all = {key.thumbprint(): key for key in (signing, *previous)}
        self.verifying = tuple(
            Key(kid, kid, frozenset({ALGORITHM}), ECKey.import_key(_public(key))) for kid, key in self._all.items()
        )

    @property
    def thumbprint(self) -> str:
        """What names the key that signs."""
        return self._signing.thumbprint()

    @property
    def known(self) -> frozenset[str]:
        """The names of all keys whose tokens count."""
        return frozenset(self._all)

    def sign(self, claims: bytes, kind: str) -> str:
        """A token of this type (`typ`) with these claims."""
        header = {"alg": ALGORITHM, "kid": self.thumbprint, "typ": kind}
        return jws.serialize_compact(header, claims, self._signing, algorithms=[ALGORITHM])

    def document(self) -> dict[str, Any]:
        """The public key set (RFC 7517)."""
        return {
            "keys": [{**_public(key), "kid": kid, "alg": ALGORITHM, "use": "sig"} for kid, key in self._all.items()]
        }


def open_keys(config: AuthorizationServer, folder: Path, plugin: str) -> SigningKeys:
    """The configured keys, else one kept in `folder`. Raises `PluginError` for a key that cannot sign."""
    if config.signing_key is not None:
        signing = _read(config.signing_key.reveal(), "signing_key", plugin)
    else:
        path = folder / _FILE
        signing = _read(kept_secret(path, _new_key).decode("ascii"), str(path), plugin)
    if not signing.is_private:
        raise PluginError(plugin, "authorization_server.signing_key is a public key.", mend="name the private one")
    return SigningKeys(signing, tuple(_read(key.reveal(), "previous_keys", plugin) for key in config.previous_keys))


def _read(pem: str, where: str, plugin: str) -> ECKey:
    mend = "openssl ecparam -name prime256v1 -genkey -noout"
    try:
        key = ECKey.import_key(pem)
    except (JoseError, ValueError, TypeError):  # the reason may quote the key
        raise PluginError(plugin, f"authorization_server: {where} holds no EC key in PEM.", mend=mend) from None
    if key.curve_name != "P-256":
        raise PluginError(plugin, f"authorization_server: {where} is not on the curve P-256.", mend=mend)
    return key


def _public(key: ECKey) -> dict[str, Any]:
    return {name: value for name, value in key.as_dict(private=False).items() if name in ("kty", "crv", "x", "y")}


def _new_key() -> bytes:
    return ECKey.generate_key("P-256").as_pem(private=True)
