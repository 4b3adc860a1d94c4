"""What every authenticator promises, inherited from the SDK."""

from __future__ import annotations

import json
import time

from routeiq_oidc import Oidc
from routeiq_sdk import Context, Secret
from routeiq_sdk.testing import AuthContract, FakeGateway
from routeiq_sdk.testing.auth import Pairs
from routeiq_sdk.testing.services import FakeAnswer

from .issuer import AUDIENCE, assembled, make_key

ISSUER = "https://issuer.example"
KEY = make_key("key-1", "ES256")


def token() -> str:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": int(time.time()) + 10**9}
    return assembled({"alg": "ES256", "kid": "key-1", "typ": "at+jwt"}, claims, KEY)


class TestOidc(AuthContract):
    plugin = Oidc
    name = "oidc"
    config = {
        "issuers": [{"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": f"{ISSUER}/keys"}],
        "login": {"client_id": "gateway", "public_url": "https://gateway.example"},
    }
    credentials = {"authorization": f"Bearer {token()}"}

    def make_gateway(self) -> FakeGateway:
        gateway = FakeGateway(self.name)
        gateway.egress.answer(FakeAnswer(body=json.dumps({"keys": [KEY.public()]}).encode()))
        return gateway

    def make_stranger(self, headers: Pairs) -> Context:
        """With the credential where the gateway finds it."""
        context = super().make_stranger(headers)
        found = next((context.headers.get(name) for name in self.headers if context.headers.get(name)), None)
        context.credential = Secret(found.removeprefix("Bearer ").strip()) if found else None
        return context
