"""LiteLLM's rows and routes of agents: they are served, no secret is shown, no stranger's address is trusted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from routeiq_sdk import ConfigError

from .agents import make_card
from .clients import connected, everything, message, words

SECRET = "sk-agents-secret-5f2"


def row(url: str, name: str = "added", version: str = "1.0", **fields: Any) -> dict[str, Any]:
    card = MessageToDict(make_card(url, version=version, binding="JSONRPC"))
    return {"agent_name": name, "agent_card_params": card, **fields}


def litellm_row(url: str, name: str = "added", **fields: Any) -> dict[str, Any]:
    card = {
        "protocolVersion": "0.3",
        "name": "Echo",
        "description": "Says it again.",
        "url": f"{url}/rpc",
        "version": "1.0.0",
        "defaultInputModes": ["text"],
        "defaultOutputModes": ["text"],
        "capabilities": {"streaming": True},
        "skills": [],
    }
    return {"agent_name": name, "agent_card_params": card, **fields}


async def call(gateway: Any, method: str, path: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {key or gateway.key}"}
    async with gateway.session.request(method, path, json=body, headers=headers) as response:
        return response.status, json.loads(await response.read())


@pytest.mark.parametrize("section", ["agents", "agent_list"])
async def test_litellms_yaml_is_served_without_fetching_a_card(run_agent, open_gateway, section) -> None:
    agent = await run_agent(version="0.3")
    yaml = [litellm_row(agent.url, litellm_params={"api_key": SECRET, "cost_per_query": 0.01})]
    gateway = await open_gateway(top={section: yaml})
    async with connected(gateway, "added") as client:
        assert words(await everything(client, message("hello"))) == "echo: hello"
    assert agent.paths == ["/rpc"]
    assert agent.seen[-1]["authorization"] == f"Bearer {SECRET}"
    status, shown = await call(gateway, "GET", "/v1/agents")
    assert (status, shown[0]["agent_name"]) == (200, "added")
    assert SECRET not in json.dumps(shown)


async def test_an_agent_is_added_changed_and_deleted_while_the_gateway_runs(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(allow=["127.0.0.0/8"])
    body = row(agent.url, static_headers={"Authorization": f"Bearer {SECRET}"})
    status, made = await call(gateway, "POST", "/v1/agents", body)
    assert status == 200
    id = made["agent_id"]
    assert SECRET not in json.dumps(made)
    async with connected(gateway, "added") as client:
        assert words(await everything(client, message("hello"))) == "echo: hello"
    assert agent.seen[-1]["authorization"] == f"Bearer {SECRET}"
    status, changed = await call(gateway, "PATCH", f"/v1/agents/{id}", {"agent_name": "renamed"})
    assert (status, changed["agent_name"], changed["agent_id"]) == (200, "renamed", id)
    async with connected(gateway, id) as client:
        assert words(await everything(client, message("hello"))) == "echo: hello"
    assert agent.seen[-1]["authorization"] == f"Bearer {SECRET}", "a PATCH forgot the secret"
    status, replaced = await call(gateway, "PUT", f"/v1/agents/{id}", row(agent.url, "again"))
    assert (status, replaced["agent_name"]) == (200, "again")
    async with connected(gateway, "again") as client:
        await everything(client, message("hello"))
    assert "authorization" not in agent.seen[-1]
    status, _ = await call(gateway, "DELETE", f"/v1/agents/{id}")
    assert status == 200
    for path in (f"/v1/agents/{id}", "/a2a/again/.well-known/agent-card.json"):
        assert (await call(gateway, "GET", path))[0] == 404
    assert (await call(gateway, "DELETE", f"/v1/agents/{id}"))[0] == 404


async def test_what_is_kept_is_sealed(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(allow=["127.0.0.0/8"])
    await call(gateway, "POST", "/v1/agents", row(agent.url, static_headers={"X-Key": SECRET}))
    kept = [value async for _, value in gateway.runtime.shared.state.scan("a2a.agents")]
    assert len(kept) == 1
    assert SECRET.encode() not in kept[0]


async def test_an_address_by_the_admin_api_must_be_public(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(agents={"echo": {"url": agent.url}})
    status, body = await call(gateway, "POST", "/v1/agents", row(agent.url))
    assert (status, body["error"]["param"]) == (400, "agent_card_params.url")
    assert agent.paths == []


async def test_rows_of_the_file_are_not_changed_and_names_are_taken_once(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(allow=["127.0.0.0/8"], agents={"echo": {"url": agent.url}})
    _, listed = await call(gateway, "GET", "/v1/agents")
    id = listed[0]["agent_id"]
    for key in ("echo", id):
        for method, body in [("PUT", row(agent.url)), ("PATCH", {"agent_name": "x"}), ("DELETE", None)]:
            assert (await call(gateway, method, f"/v1/agents/{key}", body))[0] == 400
    assert (await call(gateway, "POST", "/v1/agents", row(agent.url, "echo")))[0] == 409


async def test_only_admins_change_agents_and_others_read_no_address(run_agent, open_gateway) -> None:
    agent = await run_agent()
    gateway = await open_gateway(allow=["127.0.0.0/8"], agents={"echo": {"url": agent.url}})
    _, made = await call(gateway, "POST", "/v1/agents", row(agent.url))
    for method, path, body in [
        ("POST", "/v1/agents", row(agent.url, "mine")),
        ("PUT", f"/v1/agents/{made['agent_id']}", row(agent.url)),
        ("PATCH", f"/v1/agents/{made['agent_id']}", {}),
        ("DELETE", f"/v1/agents/{made['agent_id']}", None),
    ]:
        assert (await call(gateway, method, path, body, key="person-ann"))[0] == 403, method
    status, listed = await call(gateway, "GET", "/v1/agents", key="person-ann")
    assert status == 200
    assert {each["agent_name"] for each in listed} == {"echo", "added"}
    assert {each["agent_card_params"]["url"] for each in listed} == {"/a2a/echo", "/a2a/added"}


@pytest.mark.parametrize(
    "change",
    [
        {"agent_name": "../etc"},
        {"agent_card_params": {}},
        {"agent_card_params": {"url": "file:///etc/passwd"}},
        {"litellm_params": {"max_iterations": 3}},
        {"litellm_params": {"custom_llm_provider": "langgraph"}},
        {"object_permission": {"agents": ["x"]}},
        {"command": "rm"},
    ],
)
async def test_what_is_not_served_is_refused_by_name(open_gateway, change) -> None:
    gateway = await open_gateway(allow=["127.0.0.0/8"])
    body = {**litellm_row("http://127.0.0.1:9"), **change}
    status, told = await call(gateway, "POST", "/v1/agents", body)
    assert status == 400
    assert next(iter(change)) in json.dumps(told) or next(iter(next(iter(change.values())))) in json.dumps(told)


@pytest.mark.parametrize(
    ("a2a", "says"),
    [
        ({"agents": {"x": {}}}, "neither url nor card_url"),
        ({"agents": {"x": {"url": "ftp://x"}}}, "http"),
        ({"agents": {"x": {"url": "https://x.example", "verify_signature": True}}}, "trusted_keys"),
        ({"agents": {"x": {"url": "https://x.example", "trusted_keys": ["nonsense"]}}}, "neither a PEM"),
        ({"agents": {"a/b": {"url": "https://x.example"}}}, "a/b"),
        ({"default_agent": "nobody"}, "default_agent"),
        ({"sign_key": "nonsense-nonsense-nonsense"}, "sign_key"),
    ],
)
async def test_a_wrong_configuration_stops_the_start_and_says_why(open_gateway, a2a, says) -> None:
    with pytest.raises(Exception, match=says) as caught:
        await open_gateway(**a2a)
    assert isinstance(caught.value, ConfigError) or "a2a" in str(caught.value)
