"""`routeiq.secrets`: where references like `vault://mount/path#field` are looked up.

How a reference is resolved is in `references`; who asks the store is not known here.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, model_validator

from routeiq.config.validation import Strict
from routeiq_sdk import Secret

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Vault(Strict):
    """A server that speaks HashiCorp Vault's API (OpenBao does too), with a key-value engine of version 2."""

    address: str = Field(description="Its origin, `https://vault.example:8200`.")
    token: Secret = Field(description="A token that may read the secrets; from the environment or a file.")
    namespace: str | None = Field(None, min_length=1, description="The namespace the secrets are in.")
    seconds: float = Field(5, gt=0, le=60, description="Seconds one answer may take.")
    allow_http: bool = Field(False, description="Whether it may be asked over plain http beyond loopback.")

    @model_validator(mode="after")
    def _address_is_an_origin(self) -> Vault:
        try:
            parts = urlsplit(self.address)
            parts.port  # noqa: B018 (it raises for what is no port)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ValueError("address is an origin: https://host:port")
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("address is an origin, without a path")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK and not self.allow_http:
            raise ValueError("plain http would show the token and the secrets to the network; use https")
        return self


class Secrets(Strict):
    """Stores of secrets."""

    vault: Vault | None = Field(None, description="The server that `vault://mount/path#field` is read from.")
