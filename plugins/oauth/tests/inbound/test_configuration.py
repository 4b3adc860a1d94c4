"""What may be written in the plugin's block, and what stops the start."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey
from pydantic import ValidationError

from routeiq_oauth import OAuth, OAuthConfig
from routeiq_sdk import PluginError
from routeiq_sdk.testing import FakeGateway, running

ROW = {"issuer": "https://a.example"}
OTHER = {"issuer": "https://b.example"}


def server(**settings: Any) -> dict[str, Any]:
    """A block with the server on."""
    return {"authorization_server": {"enabled": True, **settings}}


def client(**settings: Any) -> dict[str, Any]:
    """A block with one client."""
    return server(clients={"editor": {"name": "Editor", "redirect_uris": ["https://e.example/cb"], **settings}})


@pytest.mark.parametrize(
    ("block", "says"),
    [
        ({"issuers": [{**ROW, "algorithms": ["HS256"]}]}, "algorithms"),
        ({"issuers": [{**ROW, "algorithms": ["none"]}]}, "algorithms"),
        ({"issuers": [{**ROW, "algorithms": []}]}, "algorithms"),
        ({"issuers": [{"issuer": "http://a.example"}]}, "plain http"),
        ({"issuers": [{**ROW, "jwks_url": "http://a.example/keys"}]}, "plain http"),
        ({"issuers": [{"issuer": "https://user:pw@a.example"}]}, "without credentials"),
        ({"issuers": [{"issuer": "https://a.example/#x"}]}, "fragment"),
        ({"issuers": [ROW, OTHER]}, "`name` of its own"),
        ({"issuers": [{**ROW, "name": "a"}, {**OTHER, "name": "a"}]}, "`name` of its own"),
        ({"issuers": [{**ROW, "name": "a"}, {**ROW, "name": "b"}]}, "same issuer"),
        ({"public_url": "http://gateway.example"}, "plain http"),
        ({"public_url": "https://gateway.example/?x=1"}, "without a query"),
        ({"sign_in": {"login_url": "//evil.example"}}, "a path of this gateway"),
        ({"sign_in": {"login_url": "https://evil.example"}}, "a path of this gateway"),
        (client(redirect_uris=[]), "redirect_uris"),
        (client(redirect_uris=["http://e.example/cb"]), "plain http"),
        (client(redirect_uris=["javascript:alert(1)"]), "own scheme"),
        (client(redirect_uris=["https://e.example/cb#x"]), "fragment"),
        (client(redirect_uris=["https://*.example/cb", "https://e.example/a b"]), "without blanks"),
        (server(clients={"https://e.example/c": {"name": "E", "redirect_uris": ["https://e.example/cb"]}}), "URL"),
        (server(clients={"dcr-1": {"name": "E", "redirect_uris": ["https://e.example/cb"]}}), "dcr-"),
        (server(access_token_minutes=600), "access_token_minutes"),
    ],
)
def test_a_configuration_that_is_not_safe_is_refused(block: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        OAuthConfig.model_validate(block)


def pem(key: ECKey | RSAKey, *, private: bool = True) -> str:
    """A key as it stands in a secret."""
    return key.as_pem(private=private).decode()


async def start(gateway: FakeGateway, **settings: Any) -> None:
    """Set the plugin up and tear it down."""
    async with running(OAuth(OAuthConfig.model_validate(server(**settings))), gateway):
        pass


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("no key at all", "no EC key"),
        (pem(RSAKey.generate_key(2048)), "no EC key"),
        (pem(ECKey.generate_key("P-384")), "P-256"),
        (pem(ECKey.generate_key("P-256"), private=False), "public key"),
    ],
)
async def test_a_key_that_cannot_sign_stops_the_start_and_is_not_shown(key: str, says: str) -> None:
    with pytest.raises(PluginError, match=says) as caught:
        await start(FakeGateway("oauth"), signing_key=key)
    assert all(line not in str(caught.value) for line in key.splitlines() if len(line) > 20)


async def test_a_replica_with_a_key_of_its_own_does_not_start() -> None:
    one, other = FakeGateway("oauth"), FakeGateway("oauth")
    other.state, other.clock = one.state, one.clock
    await start(one)
    with pytest.raises(PluginError, match="signs tokens with another key"):
        await start(other)

    one.clock.advance(121)
    await start(other)  # nobody signs with the first one any more


async def test_replicas_with_one_written_key_start() -> None:
    key = pem(ECKey.generate_key("P-256"))
    one, other = FakeGateway("oauth"), FakeGateway("oauth")
    other.state = one.state
    for gateway in (one, other):
        await start(gateway, signing_key=key)


async def test_an_earlier_key_still_verifies_and_no_longer_signs() -> None:
    old, new = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    plugin = OAuth(OAuthConfig.model_validate(server(signing_key=pem(new), previous_keys=[pem(old, private=False)])))
    async with running(plugin, FakeGateway("oauth")):
        keys = plugin._parts.server.keys  # type: ignore[union-attr]
        assert keys.thumbprint == new.thumbprint()
        assert [row["kid"] for row in keys.document()["keys"]] == [new.thumbprint(), old.thumbprint()]
        assert all("d" not in row for row in keys.document()["keys"])
