"""Identity providers on loopback that sign real tokens; several may use one key id.

What the gateway makes of them is the tests' business.
"""

from __future__ import annotations

import time
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

AUDIENCE = "routeiq-gateway"


class Issuer:
    """`async with Issuer() as issuer:` serves discovery and one key, whose id is `kid`."""

    def __init__(self, kid: str = "key-1") -> None:
        self.kid = kid
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Issuer:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._discovery)
        app.router.add_get("/keys", self._keys)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def token(self, *, signed_by: Issuer | None = None, kid: str | None = None, **claims: Any) -> str:
        """A token of this issuer; with `signed_by` another one's key signs it."""
        now = int(time.time())
        said = {"iss": self.url, "aud": AUDIENCE, "sub": "ann", "iat": now, "exp": now + 300, **claims}
        signer = signed_by or self
        return jwt.encode(said, signer.private, algorithm="ES256", headers={"kid": kid or self.kid})

    async def _discovery(self, request: web.Request) -> web.Response:
        return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys"})

    async def _keys(self, request: web.Request) -> web.Response:
        row: dict[str, Any] = ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)  # type: ignore[assignment]
        row.pop("key_ops", None)
        return web.json_response({"keys": [{**row, "kid": self.kid, "alg": "ES256", "use": "sig"}]})
