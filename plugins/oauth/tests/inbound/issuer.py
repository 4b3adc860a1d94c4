"""An authorization server of tests over HTTP on loopback: metadata and keys. It signs whatever a test wants, with real
keys, and counts what it is asked."""

from __future__ import annotations

import asyncio
import base64
import functools
import hmac
import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry


@functools.cache
def private_key(algorithm: str, number: int = 0) -> Key:
    """A key, made once a test process."""
    if algorithm.startswith(("RS", "PS")):
        return RSAKey.generate_key(2048)
    if algorithm == "EdDSA":
        return OKPKey.generate_key("Ed25519")
    return ECKey.generate_key("P-256")


@dataclass(frozen=True)
class SigningKey:
    """A private key with its id and algorithm."""

    kid: str
    algorithm: str
    private: Key

    def public(self) -> dict[str, Any]:
        """Its row in a key set."""
        row = dict(self.private.as_dict(private=False))
        return {**row, "kid": self.kid, "alg": self.algorithm, "use": "sig"}


def make_key(kid: str, algorithm: str = "ES256", number: int = 0) -> SigningKey:
    """A signing key; equal algorithms and numbers give equal keys."""
    return SigningKey(kid, algorithm, private_key(algorithm, number))


def encoded(part: Mapping[str, Any] | bytes | str) -> str:
    """One part of a token."""
    raw = json.dumps(part).encode() if isinstance(part, Mapping) else part.encode() if isinstance(part, str) else part
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def assembled(header: Mapping[str, Any] | str, claims: Mapping[str, Any] | str, key: SigningKey) -> str:
    """A properly signed token of any header and claims, also of such that no library would sign."""
    signed = f"{encoded(header)}.{encoded(claims)}"
    return f"{signed}.{encoded(JWSRegistry.algorithms[key.algorithm].sign(signed.encode(), key.private))}"


def assembled_by_hmac(header: Mapping[str, Any], claims: Mapping[str, Any], secret: bytes) -> str:
    """A token whose HMAC key is `secret`, such as somebody's public key."""
    signed = f"{encoded(header)}.{encoded(claims)}"
    return f"{signed}.{encoded(hmac.digest(secret, signed.encode(), 'sha256'))}"


class Issuer:
    """`async with Issuer() as issuer:` serves one. `published` are the keys in its set, `current` signs."""

    def __init__(self, path: str = "/realm") -> None:
        self.current = make_key("key-1")
        self.published = [self.current]
        self.calls: Counter[str] = Counter()
        self.down = False
        self.lie: dict[str, Any] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.origin = ""
        self._path = path
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Issuer:
        app = web.Application()
        app.router.add_get(f"/.well-known/oauth-authorization-server{self._path}", self._metadata)
        app.router.add_get(f"{self._path}/keys", self._keys)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.origin = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Its `iss`."""
        return self.origin + self._path

    def claims(self, audience: str, **changes: Any) -> dict[str, Any]:
        """The claims of an access token. A change of `None` takes a claim away."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": audience,
            "sub": "ann",
            "client_id": "editor",
            "scope": "read write",
            "iat": now,
            "exp": now + 300,
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(
        self, audience: str, *, key: SigningKey | None = None, header: Mapping[str, Any] | None = None, **claims: Any
    ) -> str:
        """A token that the current key signed, unless told otherwise."""
        signer = key or self.current
        told = {"alg": signer.algorithm, "kid": signer.kid, "typ": "at+jwt", **(header or {})}
        return assembled(
            {name: value for name, value in told.items() if value is not None}, self.claims(audience, **claims), signer
        )

    async def _metadata(self, request: web.Request) -> web.Response:
        await self._called("metadata")
        return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.lie})

    async def _keys(self, request: web.Request) -> web.Response:
        await self._called("keys")
        return web.json_response({"keys": [key.public() for key in self.published]})

    async def _called(self, what: str) -> None:
        self.calls[what] += 1
        await self.gate.wait()
        if self.down:
            raise web.HTTPServiceUnavailable
