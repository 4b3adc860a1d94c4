"""What may be written, in the plugin's own block and in LiteLLM's words, and what stops the start."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from routeiq_oidc import OidcConfig
from routeiq_oidc.litellm import LitellmJwtAuth
from routeiq_oidc.translation import trusts_of
from routeiq_sdk import PluginError

from .conftest import Open
from .issuer import AUDIENCE, Issuer

ROW = {"issuer": "https://a.example", "audience": "gateway"}
OTHER = {"issuer": "https://b.example", "audience": "gateway"}
LOGIN = {"client_id": "gateway", "public_url": "https://gateway.example"}


@pytest.mark.parametrize(
    ("block", "says"),
    [
        ({}, "nothing to do"),
        ({"issuers": [{"issuer": "https://a.example"}]}, "audience"),
        ({"issuers": [{**ROW, "audience": []}]}, "audience"),
        ({"issuers": [{**ROW, "algorithms": ["HS256"]}]}, "algorithms"),
        ({"issuers": [{**ROW, "algorithms": ["none"]}]}, "algorithms"),
        ({"issuers": [{**ROW, "algorithms": []}]}, "algorithms"),
        ({"issuers": [{**ROW, "issuer": "http://a.example"}]}, "plain http"),
        ({"issuers": [{**ROW, "jwks_url": "http://a.example/keys"}]}, "plain http"),
        ({"issuers": [{**ROW, "issuer": "https://user:pw@a.example"}]}, "without credentials"),
        ({"issuers": [ROW, OTHER]}, "`name` of its own"),
        ({"issuers": [{**ROW, "name": "a"}, {**OTHER, "name": "a"}]}, "`name` of its own"),
        ({"issuers": [{**ROW, "name": "a"}, {**ROW, "name": "b"}]}, "same issuer"),
        ({"login": LOGIN}, "nothing to do"),
        ({"issuers": [ROW], "login": {**LOGIN, "issuer": "b"}}, "names no issuer"),
        ({"issuers": [{**ROW, "name": "a"}, {**OTHER, "name": "b"}], "login": LOGIN}, "login.issuer"),
        ({"issuers": [ROW], "login": {**LOGIN, "public_url": "http://gateway.example"}}, "plain http"),
        ({"issuers": [ROW], "login": {**LOGIN, "scopes": ["email"]}}, "openid"),
        ({"issuers": [ROW], "login": {**LOGIN, "session_secret": "short"}}, "too short"),
        ({"issuers": [ROW], "login": {**LOGIN, "after_login": "//evil.example"}}, "a path of this gateway"),
        ({"scim": {"token": "short"}}, "too short"),
        ({"issuers": [ROW], "enable_jwt_auth": True}, "in one place"),
    ],
)
def test_a_configuration_that_is_not_safe_is_refused(block: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        OidcConfig.model_validate(block)


def test_litellms_keys_mean_what_they_mean_there() -> None:
    auth = LitellmJwtAuth.model_validate(
        {
            "admin_jwt_scope": "gw_admin",
            "user_id_jwt_field": "uid",
            "team_ids_jwt_field": "groups",
            "org_id_jwt_field": "org",
            "user_id_upsert": True,
            "user_roles_jwt_field": "roles",
            "user_allowed_roles": ["staff"],
            "jwt_litellm_role_map": [{"jwt_role": "boss", "litellm_role": "org_admin"}],
            "public_key_ttl": 120,
        }
    )
    environment = {"JWT_PUBLIC_KEY_URL": "https://a.example/keys, https://b.example/keys", "JWT_AUDIENCE": "gateway"}
    (trust,) = trusts_of(auth, environment)
    assert trust.issuer is None
    assert trust.audience == frozenset({"gateway"})
    assert trust.jwks_urls == ("https://a.example/keys", "https://b.example/keys")
    assert (trust.user_claim, trust.team_claims, trust.organization_claim) == ("uid", ("groups",), "org")
    assert trust.role_map == {"boss": "org_admin", "gw_admin": "proxy_admin"}
    assert trust.require_any == {"staff", "gw_admin"}
    assert (trust.upsert, trust.refresh_seconds) == (True, 120)
    assert not any(algorithm.startswith("HS") for algorithm in trust.algorithms)


def test_litellms_issuers_keep_their_subjects_apart() -> None:
    rows = [{**ROW, "user_id_jwt_field": "uid"}, {**OTHER, "audience": [], "disable_audience_validation": True}]
    first, second = trusts_of(LitellmJwtAuth.model_validate({"issuers": rows}), {})
    assert (first.issuer, first.user_claim, first.audience) == ("https://a.example", "uid", frozenset({"gateway"}))
    assert (second.issuer, second.user_claim, second.audience) == ("https://b.example", "sub", None)
    assert first.name != second.name


@pytest.mark.parametrize("row", [{"issuer": "https://a.example"}, {**ROW, "disable_audience_validation": True}])
def test_an_issuer_of_litellms_says_its_audience_or_that_there_is_none(row: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="disable_audience_validation"):
        LitellmJwtAuth.model_validate({"issuers": [row]})


async def test_a_litellm_file_authenticates_by_the_keys_that_the_environment_names(
    open_litellm: Open, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JWT_PUBLIC_KEY_URL", f"{issuer.url}/keys")
    monkeypatch.setenv("JWT_AUDIENCE", AUDIENCE)
    running = await open_litellm(enable_jwt_auth=True, litellm_jwtauth={"user_id_jwt_field": "uid"})
    calls: tuple[tuple[dict[str, Any], int], ...] = (
        ({"uid": "ann"}, 200),
        ({"uid": "ann", "iss": "whoever"}, 200),
        ({"uid": "ann", "aud": "other"}, 401),
        ({}, 401),
    )
    for claims, status in calls:
        token = issuer.token(**claims)
        async with running.session.get("/v1/models", headers={"authorization": f"Bearer {token}"}) as response:
            assert response.status == status, await response.text()


async def test_a_litellm_file_without_keys_does_not_start(open_litellm: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JWT_PUBLIC_KEY_URL", raising=False)
    with pytest.raises(PluginError, match="JWT_PUBLIC_KEY_URL is not set"):
        await open_litellm(enable_jwt_auth=True)
