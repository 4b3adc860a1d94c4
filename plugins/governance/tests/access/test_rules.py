"""The operator's rules over every request: addresses, closed routes, parameters, end users, roles of tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from routeiq_governance.access.rules import Rules
from routeiq_governance.config import GovernanceConfig
from routeiq_governance.identity.caller import Caller, Entity
from routeiq_sdk import Context, PluginError
from routeiq_sdk.testing import make_context

KEY = Caller(kind="key", key_id="k")


def rules(**config: Any) -> Rules:
    return Rules(GovernanceConfig.model_validate(config))


def context(client: str | None = "192.0.2.7", path: str = "/v1/chat/completions", **fields: Any) -> Context:
    ctx = make_context(route=path, **fields)
    ctx.client = client
    return ctx


@pytest.mark.parametrize(
    ("client", "forwarded", "served"),
    [
        ("192.0.2.7", None, True),
        ("192.0.2.8", None, False),
        ("10.20.0.1", None, True),
        ("::ffff:192.0.2.7", None, True),
        ("2001:db8::1", None, True),
        (None, None, False),
        ("not an address", None, False),
        ("192.0.2.8", "192.0.2.7", False),  # no proxy of ours: what it says of itself is not believed
        ("172.16.0.1", "192.0.2.7", True),
        ("172.16.0.1", "6.6.6.6, 192.0.2.7", True),
        ("172.16.0.1", "192.0.2.7, 6.6.6.6", False),
        ("172.16.0.1", "192.0.2.7, 172.16.0.2", True),
        ("172.16.0.1", "", False),
        ("172.16.0.1", "192.0.2.7 evil", False),
    ],
)
def test_only_the_named_addresses_are_served(client: str | None, forwarded: str | None, served: bool) -> None:
    made = rules(
        allowed_ips=["192.0.2.7", "10.0.0.0/8", "2001:db8::/32"],
        use_x_forwarded_for=True,
        trusted_proxy_ranges=["172.16.0.0/12"],
    )
    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    refused = made.address(context(client, headers=headers))
    assert (refused is None) is served
    if refused is not None:
        assert refused.status == 403


def test_forwarded_addresses_without_trusted_proxies_stop_the_start() -> None:
    with pytest.raises(PluginError, match="trusted_proxy_ranges"):
        rules(allowed_ips=["192.0.2.7"], use_x_forwarded_for=True)


def test_a_wrong_network_is_an_error() -> None:
    with pytest.raises(ValueError, match="is no address"):
        rules(allowed_ips=["everywhere"])


def test_closed_routes_are_closed_to_all_but_the_master_key() -> None:
    made = rules(allowed_routes=["llm_api_routes", "/key/info"])
    for path, closed in (("/v1/chat/completions", False), ("/key/info", False), ("/key/generate", True)):
        refused = made.route(context(path=path), KEY)
        assert (refused is not None) is closed
    assert made.route(context(path="/key/generate"), Caller(kind="admin")) is None
    assert made.route(context(path="/key/generate"), Caller(kind="key", role="proxy_admin")) is not None


def test_routes_for_admins_are_for_admins_alone() -> None:
    made = rules(admin_only_routes=["/key/generate"])
    assert made.route(context(path="/key/generate"), KEY) is not None
    assert made.route(context(path="/key/generate"), Caller(kind="key", role="proxy_admin")) is None
    assert made.route(context(path="/key/info"), KEY) is None


@pytest.mark.parametrize(
    ("config", "body", "param"),
    [
        ({"enforce_user_param": True}, {}, "user"),
        ({"enforce_user_param": True}, {"user": "u"}, None),
        ({"enforced_params": ["user", "metadata.run"]}, {"user": "u"}, "metadata.run"),
        ({"enforced_params": ["user", "metadata.run"]}, {"user": "u", "metadata": {"run": 1}}, None),
        ({"enforced_params": ["metadata.run"]}, {"metadata": "run"}, "metadata.run"),
        ({"reject_clientside_metadata_tags": True}, {"metadata": {"tags": []}}, "metadata.tags"),
        ({"reject_clientside_metadata_tags": True}, {"tags": ["a"]}, "metadata.tags"),
        ({"reject_clientside_metadata_tags": True}, {"metadata": {}}, None),
    ],
)
def test_bodies_have_what_they_must(config: dict[str, Any], body: dict[str, Any], param: str | None) -> None:
    refused = rules(**config).body(context(**body), KEY)
    assert (refused.param if refused is not None else None) == param
    if refused is not None:
        assert refused.status == 400


def test_tags_in_a_header_are_tags() -> None:
    ctx = context(headers={"x-litellm-tags": "a"})
    assert rules(reject_clientside_metadata_tags=True).body(ctx, KEY) is not None


def test_a_key_has_parameters_of_its_own() -> None:
    for entity in (
        Entity("key", "k", settings={"enforced_params": ["user"]}),
        Entity("key", "k", metadata={"enforced_params": ["user"]}),
    ):
        refused = rules().body(context(), Caller(kind="key", key_id="k", entities=(entity,)))
        assert refused is not None
        assert refused.param == "user"


def test_blocked_end_users_are_refused(tmp_path: Path) -> None:
    listed = tmp_path / "blocked.txt"
    listed.write_text("eve\n\n mallory \n")
    for made in (rules(blocked_user_list=["eve", "mallory"]), rules(blocked_user_list=str(listed))):
        for user, blocked in (("eve", True), ("mallory", True), ("alice", False)):
            ctx = context()
            ctx.end_user = user
            assert (made.body(ctx, KEY) is not None) is blocked


def test_a_list_of_blocked_users_that_cannot_be_read_stops_the_start() -> None:
    with pytest.raises(PluginError, match="cannot be read"):
        rules(blocked_user_list="/nowhere/blocked.txt")


def test_callers_that_signed_in_need_a_role_where_roles_are_enforced() -> None:
    made = rules(enforce_rbac=True)
    assert made.route(context(), Caller(kind="user", user="u")) is not None
    assert made.route(context(), Caller(kind="user", user="u", role="internal_user")) is None
    assert made.route(context(), Caller(kind="user", user="u", roles=frozenset({"developer"}))) is None
    assert made.route(context(), KEY) is None


def test_roles_of_tokens_are_narrowed_to_their_rows() -> None:
    made = rules(role_permissions=[{"role": "team", "models": ["fast"], "routes": ["openai_routes"]}])
    team = Caller(kind="service", roles=frozenset({"team"}))
    assert made.route(context(), team) is None
    assert made.route(context(path="/key/generate"), team) is not None
    assert made.role_models(team) == ("fast",)
    assert made.role_models(Caller(kind="user", roles=frozenset({"owner"}))) is None
    assert made.role_models(KEY) is None
