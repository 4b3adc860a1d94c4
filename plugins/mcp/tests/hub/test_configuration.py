"""What the YAML may say, in LiteLLM's words and in ours, and what stops the start."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from routeiq_mcp.config import McpConfig
from routeiq_mcp.hub.specs import spec_of, transport_of
from routeiq_mcp.rows import ServerRow, prices_of
from routeiq_sdk import ConfigError, PluginError, Secret

from .world import Scripted, tool, world

URL = "https://mcp.example.com/mcp"


def row(**fields: Any) -> ServerRow:
    return ServerRow.model_validate({"url": URL, **fields})


@pytest.mark.parametrize(
    ("kind", "header", "value"),
    [
        ("api_key", "X-API-Key", "abc"),
        ("bearer_token", "Authorization", "Bearer abc"),
        ("basic", "Authorization", "Basic abc"),
        ("authorization", "Authorization", "abc"),
        ("token", "Authorization", "token abc"),
    ],
)
@pytest.mark.parametrize("key", ["auth_value", "authentication_token"])
def test_a_static_credential_is_sent_as_litellm_sends_it(kind: str, header: str, value: str, key: str) -> None:
    auth = row(auth_type=kind, **{key: Secret("abc")}).outbound
    assert auth.mode == "static"
    assert {name: secret.get_secret_value() for name, secret in auth.headers.items()} == {header: value}


def test_oauth_is_in_the_gateways_name_or_in_each_users() -> None:
    client = {"auth_type": "oauth2", "client_id": "id", "client_secret": Secret("s")}
    own = row(**client, token_url="https://as.example.com/token", scopes="a, b").outbound
    assert (own.mode, own.scopes) == ("client_credentials", ("a", "b"))
    assert row(**client).outbound.mode == "authorization_code"
    assert row(**client, oauth2_flow="client_credentials").outbound.mode == "client_credentials"
    assert row(auth_type="oauth2").outbound.mode == "authorization_code"
    exchange = row(**{**client, "auth_type": "oauth2_token_exchange"}, audience="x").outbound
    assert (exchange.mode, exchange.audience) == ("token_exchange", "x")
    with pytest.raises(ValueError, match="token_exchange needs client_id"):
        row(auth_type="oauth2_token_exchange", audience="x").outbound  # noqa: B018
    assert row().outbound.mode == "none"


def test_our_own_way_to_say_it_is_beside_litellms_and_takes_secrets_of_the_environment() -> None:
    auth = {"mode": "static", "headers": {"x-key": Secret("abc")}}
    assert row(auth=auth).outbound.headers["x-key"].get_secret_value() == "abc"
    with pytest.raises(ValidationError, match="both auth and auth_type"):
        row(auth=auth, auth_type="api_key", auth_value="x")


def test_how_a_server_is_spoken_to_is_seen_from_its_row() -> None:
    assert transport_of(row()) == "http"
    assert transport_of(row(url="https://x.example/v1/sse")) == "sse"
    assert transport_of(row(url="https://x.example/sse", transport="http")) == "http"
    assert transport_of(ServerRow(command="srv")) == "stdio"
    assert transport_of(row(spec_path="api.yaml")) == "openapi"


def test_a_rows_parts_reach_the_one_who_opens_the_server() -> None:
    told = row(static_headers={"x-a": "1"}, extra_headers=["x-b"], timeout=5, protocol_version="2025-06-18")
    spec = spec_of("a", told, trusted=True)
    assert (spec.url, spec.trusted, spec.forward_headers) == (URL, True, {"x-b": "x-b"})
    assert (spec.timeout_seconds, spec.protocol_version) == (5, "2025-06-18")
    assert spec.headers["x-a"].reveal() == "1"
    document = spec_of("a", row(spec_path="/api.yaml"), trusted=True)
    assert (str(document.document), document.base_url, document.url) == ("/api.yaml", URL, None)
    remote = spec_of("a", row(spec_path="https://x.example/openapi.json"), trusted=True)
    assert (remote.document, remote.base_url, remote.url) == (None, URL, "https://x.example/openapi.json")


def test_a_client_may_give_headers_for_one_server_by_its_name_or_alias() -> None:
    told = row(client_headers=["Authorization"], extra_headers=["x-b"])
    assert spec_of("GitHub", told, trusted=True, alias="gh").forward_headers == {
        "x-b": "x-b",
        "x-mcp-github-authorization": "authorization",
        "x-mcp-gh-authorization": "authorization",
    }


def test_costs_are_exact() -> None:
    info = {"mcp_server_cost_info": {"default_cost_per_query": 0.1, "tool_name_to_cost_per_query": {"t": "1.5"}}}
    assert prices_of(info) == (100_000_000, {"t": 1_500_000_000})
    assert prices_of({}) == (0, {})
    assert prices_of({"mcp_server_cost_info": {"default_cost_per_query": 1e-10}})[0] == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"url": None},
        {"transport": "stdio"},
        {"command": "srv", "transport": "http"},
        {"command": "srv", "spec_path": "x"},
        {"auth_type": "bearer_token"},
        {"auth_type": "aws_sigv4"},
        {"auth_type": "true_passthrough"},
        {"extra_headers": ["Authorization"]},
        {"extra_headers": ["x-api-key"]},
        {"client_headers": ["Host"]},
        {"client_headers": ["mcp-session-id"]},
        {"client_headers": ["a b"]},
        {"client_headers": ["Authorization"], "auth_type": "oauth2"},
        {"allowed_tools": []},
        {"allowed_tools": ["a"], "disallowed_tools": ["a"]},
        {"mcp_info": {"mcp_server_cost_info": {"default_cost_per_query": -1}}},
        {"mcp_info": {"mcp_server_cost_info": {"default_cost_per_query": "much"}}},
        {"mcp_info": {"mcp_server_cost_info": {"default_cost_per_query": True}}},
        {"rpm": 0},
        {"token_validation": {"iss": "x"}},
        {"alias": "a b"},
    ],
    ids=lambda fields: str(fields)[:60],
)
def test_a_row_that_cannot_mean_what_it_says_stops_the_start(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        McpConfig.model_validate({"servers": {"a": {"url": URL, **fields}}})


def test_keys_that_mean_nothing_here_are_accepted() -> None:
    McpConfig.model_validate({"servers": {"a": {"url": URL, "allow_all_keys": True, "logo": "x"}}})


def test_an_unenforced_key_is_accepted_by_name_alone() -> None:
    rows = {"a": {"url": URL, "token_validation": {"iss": "x"}}}
    for accepted in ("mcp_servers.a.token_validation", "mcp_servers"):
        McpConfig.model_validate({"servers": rows, "accepted_unenforced": [accepted]})
    with pytest.raises(ValidationError, match="accept_unenforced"):
        McpConfig.model_validate({"servers": rows, "accepted_unenforced": ["mcp_servers.b.token_validation"]})


@pytest.mark.parametrize(
    "document",
    [
        {"servers": {"a": {"url": URL}, "b": {"url": URL, "alias": "a"}}},
        {"servers": {"a": {"url": URL, "server_id": "x"}, "b": {"url": URL, "server_id": "x"}}},
        {"servers": {"a": {"url": URL}, "b": {"url": URL, "access_groups": ["a"]}}},
        {"servers": {"a": {"url": URL}}, "virtual_servers": {"a": {"servers": ["a"]}}},
        {"servers": {"a": {"url": URL, "alias": "v"}}, "virtual_servers": {"v": {"servers": ["a"]}}},
        {"servers": {"a": {"url": URL, "access_groups": ["v"]}}, "virtual_servers": {"v": {"servers": ["a"]}}},
        {"servers": {"a": {"url": URL}}, "virtual_servers": {"v": {"servers": ["a", "a"]}}},
        {"servers": {"a": {"url": URL}}, "virtual_servers": {"v": {"servers": []}}},
        {"servers": {"a": {"url": URL}}, "virtual_servers": {"v": {"servers": ["a"], "auth": "none", "keys": ["k"]}}},
        {"servers": {"a": {"url": URL}}, "virtual_servers": {"v/w": {"servers": ["a"]}}},
        {"servers": {"mcp": {"url": URL}}},
        {"servers": {"a/b": {"url": URL}}},
        {"servers": {"a": {"url": URL}}, "aliases": {"x": "nobody"}},
        {"encryption_key": "short"},
    ],
    ids=lambda document: str(document)[:90],
)
def test_names_that_clash_stop_the_start(document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        McpConfig.model_validate(document)


async def test_a_virtual_server_of_an_unknown_server_stops_the_start_and_names_those_that_are() -> None:
    with pytest.raises(ConfigError, match="known servers: a"):
        async with world(Scripted("a", tool("x")), virtual_servers={"v": {"servers": ["a", "b"]}}):
            pass


async def test_a_server_inside_the_gateway_is_served_and_its_name_is_its_own() -> None:
    from routeiq_sdk.testing import FakeGateway

    class Inside:
        name = "skills"
        capabilities: dict[str, Any] = {"tools": {}}

        async def handle(self, ctx, method, params):
            if method == "tools/list":
                return {"tools": [tool("find")]}
            return {"content": [{"type": "text", "text": f"skills/{params['name']}"}]}

    gateway = FakeGateway("mcp")
    gateway.tool_servers = {"skills": Inside()}
    from routeiq_mcp.hub.hub import Hub

    hub = Hub(McpConfig(virtual_servers={"v": {"servers": ["skills"]}}), gateway)
    await hub.open()
    from .world import NOBODY, call

    face = hub.faces.find(call(), "v")
    assert [each["name"] for each in (await face.request(call(), "tools/list", {}, NOBODY))["tools"]] == ["find"]
    result = await face.request(call(), "tools/call", {"name": "find"}, NOBODY)
    assert result["content"][0]["text"] == "skills/find"
    await hub.close()
    with pytest.raises(PluginError, match="'skills'"):
        async with world(Scripted("skills"), gateway=gateway):
            pass
    await gateway.aclose()
