"""V10 for tools: what a guard refuses in a chat it refuses in a call of a tool, in what the tool gives, and in what a
server says of itself: over MCP in both eras, and over A2A."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest
import pytest_asyncio
from mcp import Client, MCPError

from routeiq_testkit.gateway import TestGateway

from .guard_field import Field
from .guard_table import GUARDS
from .tool_field import DONE, PROMPT, RESOURCE, TOOL, ScriptedAgent, ScriptedServer, mcp_client, say, scripted_agent
from .tool_field import scripted_server as running_server

ERAS = ("auto", "legacy")
MARK = "@bad@"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[tuple[ScriptedServer, str]]:
    async with running_server() as made:
        yield made


@pytest_asyncio.fixture
async def agent() -> AsyncIterator[ScriptedAgent]:
    async with scripted_agent() as made:
        yield made


def filled(value: Any, text: str) -> Any:
    """The value with a text in place of the mark, in keys, too."""
    return json.loads(json.dumps(value).replace(MARK, json.dumps(text)[1:-1]))


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


async def call(client: Client, **arguments: Any) -> Any:
    return await client.call_tool("act", arguments)


async def read(client: Client) -> Any:
    return await client.read_resource("note://one")


async def prompt(client: Client) -> Any:
    return await client.get_prompt("ask", {})


async def complete(client: Client) -> Any:
    from mcp_types import PromptReference

    return await client.complete(PromptReference(type="ref/prompt", name="ask"), {"name": "x", "value": "y"})


Ask = Callable[[Client], Awaitable[Any]]

ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "an argument": {"q": MARK},
    "inside lists and objects": {"rows": [{"cells": ["a", MARK]}]},
    "a second argument": {"a": "quiet", "b": MARK},
}
"""Arguments that hold the text."""

RESULTS: Mapping[str, tuple[str, Ask, Mapping[str, Any]]] = {
    "a text": ("tools/call", call, {"content": [text(MARK)]}),
    "a later text": ("tools/call", call, {"content": [text("quiet"), text("still quiet"), text(MARK)]}),
    "structured content": ("tools/call", call, {**DONE, "structuredContent": {"rows": [{"cell": MARK}]}}),
    "a name in structured content": ("tools/call", call, {**DONE, "structuredContent": {MARK: 1}}),
    "an embedded resource": (
        "tools/call",
        call,
        {"content": [{"type": "resource", "resource": {"uri": "note://x", "text": MARK}}]},
    ),
    "a link to a resource": (
        "tools/call",
        call,
        {"content": [{"type": "resource_link", "uri": "note://x", "name": "x", "description": MARK}]},
    ),
    "an error": ("tools/call", call, {"content": [text(MARK)], "isError": True}),
    "beside a picture": (
        "tools/call",
        call,
        {"content": [{"type": "image", "data": "aGk=", "mimeType": "image/png"}, text(MARK)]},
    ),
    "a resource": ("resources/read", read, {"contents": [{"uri": "note://one", "text": MARK}]}),
    "a prompt": ("prompts/get", prompt, {"messages": [{"role": "user", "content": text(MARK)}]}),
    "a prompt's description": ("prompts/get", prompt, {"description": MARK, "messages": []}),
    "a completion": ("completion/complete", complete, {"completion": {"values": ["a", MARK]}}),
}
"""By what it is: the method, how it is asked for, and the server's answer."""

DEFINITIONS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "a tool": ("tools/list", {**TOOL, "description": MARK}),
    "a tool's title": ("tools/list", {**TOOL, "title": MARK}),
    "a parameter": (
        "tools/list",
        {**TOOL, "inputSchema": {"type": "object", "properties": {"q": {"type": "string", "description": MARK}}}},
    ),
    "a prompt": ("prompts/list", {**PROMPT, "description": MARK}),
    "a resource": ("resources/list", {**RESOURCE, "description": MARK}),
    "a template": ("resources/templates/list", {"uriTemplate": "note://{name}", "name": "n", "description": MARK}),
}

LISTING: Mapping[str, Callable[[Client], Awaitable[Any]]] = {
    "tools/list": lambda client: client.list_tools(),
    "prompts/list": lambda client: client.list_prompts(),
    "resources/list": lambda client: client.list_resources(),
    "resources/templates/list": lambda client: client.list_resource_templates(),
}


async def told(asked: Awaitable[Any]) -> str:
    """All of an answer or of an error."""
    try:
        answer = await asked
    except MCPError as error:
        return f"{error} {error.data}"
    return json.dumps(answer.model_dump(mode="json", by_alias=True), ensure_ascii=False)


async def guarded(field: Field, name: str, mode: str, url: str, agent: str = "http://127.0.0.1:9") -> TestGateway:
    return await field.guarded(
        GUARDS[name],
        mode,
        servers={"s": {"url": url, "transport": "http"}},
        plugins={"mcp": {"list_seconds": 0}, "a2a": {"agents": {"actor": {"url": agent}}}},
    )


@pytest.mark.parametrize("name", GUARDS)
async def test_no_argument_carries_it_to_a_tool(attacked: Field, server: tuple[ScriptedServer, str], name: str) -> None:
    bad = GUARDS[name].bad
    running = await guarded(attacked, name, "pre_mcp_call", server[1])
    for era in ERAS:
        async with mcp_client(running, "/s/mcp", era) as client:
            for what, arguments in ARGUMENTS.items():
                said = await told(call(client, **filled(arguments, bad)))
                assert "under-test" in said, (era, what, said)
                assert bad not in said
                assert "done" in await told(call(client, **filled(arguments, "a quiet evening"))), (era, what)
    assert len(server[0].calls("tools/call")) == len(ERAS) * len(ARGUMENTS)


@pytest.mark.parametrize("name", GUARDS)
async def test_nothing_that_a_server_gives_carries_it_to_the_client(
    attacked: Field, server: tuple[ScriptedServer, str], name: str
) -> None:
    bad = GUARDS[name].bad
    running = await guarded(attacked, name, "post_mcp_call", server[1])
    passed: list[str] = []
    for era in ERAS:
        async with mcp_client(running, "/s/mcp", era) as client:
            for what, (method, ask, answer) in RESULTS.items():
                server[0].answers = {method: filled(answer, bad)}
                said = await told(ask(client))
                if "under-test" not in said or bad in said:
                    passed.append(f"{era}: {what}: {said[:300]}")
                server[0].answers = {method: filled(answer, "a quiet evening")}
                said = await told(ask(client))
                assert "a quiet evening" in said, (era, what, said)
    assert passed == []


@pytest.mark.parametrize("name", GUARDS)
async def test_nothing_that_a_server_says_of_itself_carries_it_to_a_model(
    attacked: Field, server: tuple[ScriptedServer, str], name: str
) -> None:
    bad = GUARDS[name].bad
    running = await guarded(attacked, name, "post_mcp_call", server[1])
    passed: list[str] = []
    for number, (what, (method, definition)) in enumerate(DEFINITIONS.items()):
        for era in ERAS:
            hostile = {**filled(definition, bad), "name": f"bad-{number}"}
            quiet = {**filled(definition, "a quiet evening"), "name": f"fine-{number}"}
            if "uri" in definition:
                hostile["uri"], quiet["uri"] = "note://bad", "note://fine"
            server[0].lists = {method: [hostile, quiet]}
            async with mcp_client(running, "/s/mcp", era) as client:
                said = await told(LISTING[method](client))
            if bad in said or f"bad-{number}" in said or f"fine-{number}" not in said:
                passed.append(f"{era}: {what}: {said[:300]}")
    assert passed == []


@pytest.mark.parametrize("name", GUARDS)
async def test_instructions_of_a_server_carry_it_to_no_model(
    attacked: Field, server: tuple[ScriptedServer, str], name: str
) -> None:
    bad = GUARDS[name].bad
    server[0].instructions = bad
    running = await guarded(attacked, name, "post_mcp_call", server[1])
    for path in ("/s/mcp", "/mcp"):
        for era in ERAS:
            async with mcp_client(running, path, era) as client:
                assert client.instructions in (None, ""), (path, era)
                assert "done" in await told(client.call_tool("act" if path == "/s/mcp" else "s-act", {}))


async def test_a_definition_that_a_guard_refused_is_on_the_page_of_health(
    attacked: Field, server: tuple[ScriptedServer, str]
) -> None:
    server[0].lists = {"tools/list": [{**TOOL, "description": GUARDS["guard-injection"].bad}]}
    running = await guarded(attacked, "guard-injection", "post_mcp_call", server[1])
    async with mcp_client(running, "/s/mcp", "auto") as client:
        assert (await client.list_tools()).tools == []
        assert "Unknown tool" in await told(call(client))
    assert server[0].calls("tools/call") == []
    async with running.session.get("/v1/mcp/server/s/tools") as response:
        (reason,) = (await response.json())["left_out"].values()
    assert "guards refused it" in reason
    assert "under-test" in reason
    async with running.session.get("/health/readiness") as response:
        assert "with tools that cannot be offered: s" in await response.text()


A2A_PARTS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "a text": ({"text": MARK},),
    "a later text": ({"text": "quiet"}, {"text": MARK}),
    "data": ({"data": {"rows": [{"cell": MARK}]}},),
}


@pytest.mark.parametrize("name", GUARDS)
async def test_no_message_carries_it_to_an_agent_nor_back(
    attacked: Field, server: tuple[ScriptedServer, str], agent: ScriptedAgent, name: str
) -> None:
    bad = GUARDS[name].bad
    running = await guarded(attacked, name, "pre_mcp_call", server[1], agent.url)
    for what, parts in A2A_PARTS.items():
        status, said = await say(running, *filled(parts, bad))
        assert "under-test" in said, (what, status, said)
        assert bad not in said
    assert agent.heard == []
    assert "done" in (await say(running, {"text": "a quiet evening"}))[1]
    running = await guarded(attacked, name, "post_mcp_call", server[1], agent.url)
    for what, parts in A2A_PARTS.items():
        agent.says = filled(parts, bad)
        status, said = await say(running, {"text": "hello"})
        assert "under-test" in said, (what, status, said)
        assert bad not in said
    agent.says = filled(A2A_PARTS["data"], "a quiet evening")
    assert "a quiet evening" in (await say(running, {"text": "hello"}))[1]


@pytest.mark.parametrize("name", GUARDS)
async def test_no_card_of_an_agent_carries_it(
    attacked: Field, server: tuple[ScriptedServer, str], agent: ScriptedAgent, name: str
) -> None:
    agent.description = agent.skill = GUARDS[name].bad
    running = await guarded(attacked, name, "post_mcp_call", server[1], agent.url)
    async with running.session.get("/a2a/actor/.well-known/agent-card.json") as response:
        card = await response.json()
    assert response.status == 200
    assert (card["description"], card["skills"]) == ("", [])


MASKING: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "guard-pii": (
        {"guardrail": "presidio", "pii_entities_config": {"CREDIT_CARD": "MASK"}},
        "pay with 4111 1111 1111 1111 today",
    ),
    "guard-secrets": ({"guardrail": "hide-secrets"}, f"log in with ghp_{'a1B2' * 9} now"),
    "guard-content": (
        {
            "guardrail": "litellm_content_filter",
            "blocked_words": [{"keyword": "vermilion protocol", "action": "MASK"}],
        },
        "the vermilion protocol says",
    ),
}


@pytest.mark.parametrize("plugin", MASKING)
async def test_what_is_masked_in_a_chat_is_masked_in_calls_and_results(
    attacked: Field, server: tuple[ScriptedServer, str], agent: ScriptedAgent, plugin: str
) -> None:
    params, secret = MASKING[plugin]
    first, last = secret.split()[0], secret.split()[-1]
    running = await attacked.started(
        plugin,
        {**params, "mode": ["pre_mcp_call", "post_mcp_call"]},
        servers={"s": {"url": server[1], "transport": "http"}},
        plugins={"mcp": {}, "a2a": {"agents": {"actor": {"url": agent.url}}}},
    )
    for era in ERAS:
        async with mcp_client(running, "/s/mcp", era) as client:
            server[0].answers = {
                "tools/call": {"content": [text("a"), text(secret)], "structuredContent": {"x": secret}}
            }
            said = await told(call(client, q=[secret]))
            (heard,) = server[0].calls("tools/call")[-1:]
            for where in (said, heard):
                assert secret not in where, (era, where)
                assert first in where, (era, where)
                assert last in where, (era, where)
    agent.says = ({"text": secret},)
    _, said = await say(running, {"text": secret})
    for where in (said, agent.heard[-1]):
        assert secret not in where
        assert last in where
