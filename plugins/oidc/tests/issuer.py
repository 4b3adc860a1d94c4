"""An identity provider over HTTP on loopback: discovery, keys, the code flow with PKCE. It signs with real keys, signs
in whoever is `user` without asking, and counts what it is asked."""

from __future__ import annotations

import asyncio
import base64
import functools
import hashlib
import json
import secrets
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

AUDIENCE = "routeiq-gateway"
CLIENT, CLIENT_SECRET = "gateway-client", "a secret/with+odd characters"

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@functools.cache
def private_key(algorithm: str, number: int = 0) -> Private:
    """A key, made once a test process."""
    if algorithm.startswith(("RS", "PS")):
        return rsa.generate_private_key(65537, 2048)
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True)
class SigningKey:
    """A private key with its id and algorithm."""

    kid: str
    algorithm: str
    private: Private

    def public(self) -> dict[str, Any]:
        """Its row in a key set."""
        public: Any = self.private.public_key()
        if isinstance(self.private, rsa.RSAPrivateKey):
            row = RSAAlgorithm.to_jwk(public, as_dict=True)
        elif isinstance(self.private, ec.EllipticCurvePrivateKey):
            row = ECAlgorithm.to_jwk(public, as_dict=True)
        else:
            row = OKPAlgorithm.to_jwk(public, as_dict=True)
        row.pop("key_ops", None)
        return {**row, "kid": self.kid, "alg": self.algorithm, "use": "sig"}


def make_key(kid: str, algorithm: str = "RS256", number: int = 0) -> SigningKey:
    """A signing key; equal arguments give equal keys."""
    return SigningKey(kid, algorithm, private_key(algorithm, number))


def encoded(part: Mapping[str, Any] | bytes | str) -> str:
    """One part of a token."""
    raw = json.dumps(part).encode() if isinstance(part, Mapping) else part.encode() if isinstance(part, str) else part
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def assembled(header: Mapping[str, Any] | str, claims: Mapping[str, Any] | str, key: SigningKey) -> str:
    """A properly signed token of any header and claims, also of such that no library would sign."""
    signed = f"{encoded(header)}.{encoded(claims)}"
    algorithm = jwt.get_algorithm_by_name(key.algorithm)
    return f"{signed}.{encoded(algorithm.sign(signed.encode(), algorithm.prepare_key(key.private)))}"


class Issuer:
    """`async with Issuer() as issuer:` serves one. `published` are the keys in its set, `current` signs."""

    def __init__(self, path: str = "") -> None:
        self.current = make_key("key-1")
        self.published = [self.current]
        self.calls: Counter[str] = Counter()
        self.down = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = asyncio.Event()
        self.user: dict[str, Any] = {"sub": "ann", "email": "ann@example.com", "email_verified": True}
        self.id_token_changes: dict[str, Any] = {}
        self.origin = ""
        self._path = path
        self._codes: dict[str, Mapping[str, str]] = {}
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Issuer:
        app = web.Application()
        app.router.add_get(f"{self._path}/.well-known/openid-configuration", self._discovery)
        app.router.add_get(f"{self._path}/keys", self._keys)
        app.router.add_get(f"{self._path}/authorize", self._authorize)
        app.router.add_post(f"{self._path}/token", self._token)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.origin = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Its `iss`."""
        return self.origin + self._path

    def rotate(self, kid: str, algorithm: str = "RS256", *, keep: bool = True) -> SigningKey:
        """Sign with a new key from now on; the old ones stay published, or not."""
        self.current = make_key(kid, algorithm, number=len(kid) + len(self.published))
        self.published = [*self.published, self.current] if keep else [self.current]
        return self.current

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The claims of an access token for the gateway. A change of `None` takes a claim away."""
        now = int(time.time())
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": "ann", "iat": now, "nbf": now, "exp": now + 300, **changes}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, *, key: SigningKey | None = None, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A token that the current key signed, unless told otherwise."""
        signer = key or self.current
        told = {"alg": signer.algorithm, "kid": signer.kid, "typ": "JWT", **(header or {})}
        return assembled(
            {name: value for name, value in told.items() if value is not None}, self.claims(**claims), signer
        )

    def configured(self, **more: Any) -> dict[str, Any]:
        """A row of `issuers` for it."""
        return {"issuer": self.url, "audience": AUDIENCE, **more}

    async def _discovery(self, request: web.Request) -> web.Response:
        await self._called("discovery")
        return web.json_response(
            {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/keys",
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
            }
        )

    async def _keys(self, request: web.Request) -> web.Response:
        await self._called("keys")
        return web.json_response({"keys": [key.public() for key in self.published]})

    async def _authorize(self, request: web.Request) -> web.Response:
        await self._called("authorize")
        query = request.query
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self._codes[code] = dict(query)
        raise web.HTTPFound(f"{query['redirect_uri']}?code={code}&state={query['state']}")

    async def _token(self, request: web.Request) -> web.Response:
        await self._called("token")
        form = await request.post()
        expected = base64.b64encode(b"gateway-client:a+secret%2Fwith%2Bodd+characters").decode()
        if request.headers.get("authorization") != f"Basic {expected}":
            return web.json_response({"error": "invalid_client"}, status=401)
        asked = self._codes.pop(str(form["code"]), None)
        challenge = encoded(hashlib.sha256(str(form["code_verifier"]).encode()).digest())
        if asked is None or challenge != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        claims = {"aud": CLIENT, "nonce": asked["nonce"], **self.user, **self.id_token_changes}
        return web.json_response({"access_token": "opaque", "token_type": "Bearer", "id_token": self.token(**claims)})

    async def _called(self, what: str) -> None:
        self.calls[what] += 1
        self.asked.set()
        await self.gate.wait()
        if self.down:
            raise web.HTTPServiceUnavailable
