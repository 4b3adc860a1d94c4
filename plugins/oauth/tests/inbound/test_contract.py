"""What every authenticator promises, inherited from the SDK; and what a plugin without issuers costs."""

from __future__ import annotations

import json
import time

import pytest

from routeiq_oauth import OAuth, OAuthConfig
from routeiq_sdk import Context, PluginError, Secret
from routeiq_sdk.testing import AuthContract, FakeGateway, running
from routeiq_sdk.testing.auth import Pairs
from routeiq_sdk.testing.services import FakeAnswer
from routeiq_sdk.values.delegation import ProtectedResource

from .issuer import assembled, make_key

ISSUER, PUBLIC, PATH = "https://issuer.example", "https://gateway.example", "/v1/chat/completions"
KEY = make_key("key-1")


def token() -> str:
    claims = {"iss": ISSUER, "aud": PUBLIC + PATH, "sub": "ann", "exp": int(time.time()) + 10**9}
    return assembled({"alg": "ES256", "kid": "key-1", "typ": "at+jwt"}, claims, KEY)


class TestOAuth(AuthContract):
    plugin = OAuth
    name = "oauth"
    config = {
        "public_url": PUBLIC,
        "issuers": [{"issuer": ISSUER, "jwks_url": f"{ISSUER}/keys"}],
        "authorization_server": {"enabled": True},
    }
    credentials = {"authorization": f"Bearer {token()}"}

    def make_gateway(self) -> FakeGateway:
        gateway = FakeGateway(self.name)
        gateway.resources[PATH] = ProtectedResource(PATH, "Chat")
        gateway.egress.answer(FakeAnswer(body=json.dumps({"keys": [KEY.public()]}).encode()))
        return gateway

    def make_stranger(self, headers: Pairs) -> Context:
        """With the credential where the gateway finds it."""
        context = super().make_stranger(headers)
        found = next((context.headers.get(name) for name in self.headers if context.headers.get(name)), None)
        context.credential = Secret(found.removeprefix("Bearer ").strip()) if found else None
        return context


def test_without_issuers_no_gate_asks_it() -> None:
    assert OAuth(OAuthConfig()).idle_hooks >= {"authenticate", "challenge"}
    assert not OAuth(OAuthConfig.model_validate({"authorization_server": {"enabled": True}})).idle_hooks


async def test_beyond_loopback_it_needs_its_own_address() -> None:
    gateway = FakeGateway("oauth")
    gateway.loopback = False
    with pytest.raises(PluginError, match="public_url is missing"):
        async with running(OAuth(OAuthConfig()), gateway):
            pass
