"""Attacks on what protects tools, agents and their callers: each tells whether it got through.

What protects against them is written in `protections_of_tools`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

from mcp import MCPError

from routeiq_testkit.gateway import TestGateway

from .attacks import Bed
from .issuers import Issuer
from .talking_server import Person, TalkingServer, form, note, talking_servers
from .tool_field import (
    SERVER_INFO,
    SKILL,
    TOOL,
    VERSION,
    ScriptedAgent,
    ScriptedServer,
    mcp_client,
    say,
    scripted_agent,
    scripted_server,
)

_NUMBERS = itertools.count()
JUDGE = """
import json
from routeiq_sdk import Plugin, PluginConfig, Reject, hookimpl

def no(body):
    return Reject(400, "no", type="judged") if "bad thing" in json.dumps(body) else None

class Fixture(Plugin[PluginConfig]):
    @hookimpl
    async def permitted_tools(self, ctx, protocol, server, tools, aliases, groups):
        return [tool for tool in tools if not tool.startswith("hidden")]

    @hookimpl
    async def guard_tool_definition(self, ctx, definition):
        return no(definition.definition)

    @hookimpl
    async def guard_tool_call(self, ctx, call):
        return no(dict(call.arguments))

    @hookimpl
    async def guard_tool_result(self, ctx, call, result):
        return no(dict(result.content))
"""
PEOPLE = """
from routeiq_sdk import Plugin, PluginConfig, Principal, hookimpl

class Fixture(Plugin[PluginConfig]):
    @hookimpl
    async def authenticate(self, ctx):
        word = ctx.credential.reveal() if ctx.credential else ""
        return Principal(id=word, kind="key", user=word) if word.startswith("person-") else None

    @hookimpl
    async def authorize_action(self, ctx, action):
        return None
"""


async def with_tools(bed: Bed) -> None:
    """A gateway with one server, one agent, a judge of both, and callers `person-NAME`."""
    stack = bed.kept["stack"]
    server, url = await stack.enter_async_context(scripted_server())
    agent = await stack.enter_async_context(scripted_agent())
    issuer = await stack.enter_async_context(Issuer())
    bed.kept.update(server=server, agent=agent, issuer=issuer)
    if "installed" not in bed.kept:
        bed.folder.install("tool-judge", JUDGE, kind="guard")
        bed.folder.install("people", PEOPLE, kind="auth")
        bed.kept["installed"] = True
    plugins: dict[str, Any] = {
        "mcp": {"list_seconds": 0, "pins": {"recheck_seconds": 1}},
        "a2a": {"agents": {"actor": {"url": agent.url}}},
        "oauth": {"issuers": [{"issuer": issuer.url, "jwks_url": f"{issuer.url}/keys"}]},
        "tool-judge": {},
        "people": {},
    }
    row = {"url": url, "transport": "http"}
    block = {"plugins": plugins, "egress": {"allow": ["127.0.0.0/8"]}}  # the canary is a webhook, too
    bed.running = await bed.start({"model_list": [], "mcp_servers": {"s": row}, "routeiq": block})


def _server(bed: Bed) -> ScriptedServer:
    made: ScriptedServer = bed.kept["server"]
    made.lists, made.answers = {}, {}
    return made


async def with_talk(bed: Bed) -> None:
    """A gateway with a judge and a server that talks, in the era of its choice."""
    server, rows = await bed.kept["stack"].enter_async_context(talking_servers())
    bed.kept["talking"] = server
    bed.folder.install("tool-judge", JUDGE, kind="guard")
    plugins: dict[str, Any] = {"mcp": {}, "tool-judge": {}}
    bed.running = await bed.start({"model_list": [], "mcp_servers": rows, "routeiq": {"plugins": plugins}})


async def _talks(bed: Bed, face: str, person: Person) -> str:
    """What a call told that the server talks through, or the error."""
    async with mcp_client(bed.gateway, f"/{face}/mcp", "auto", **person.callbacks) as client:
        try:
            answer = await client.call_tool("act", {}, progress_callback=person.progressed)
        except MCPError as error:
            return f"{error}"
        return json.dumps(answer.model_dump(mode="json"))


async def bad_question(bed: Bed) -> bool:
    server: TalkingServer = bed.kept["talking"]
    server.asks, server.tells, server.error, person = form("a bad thing"), (), None, Person()
    await _talks(bed, "old", person)
    return any("a bad thing" in each for each in person.heard)


async def bad_note(bed: Bed) -> bool:
    server: TalkingServer = bed.kept["talking"]
    server.asks, server.tells, server.error, person = (
        None,
        [note("progress", progress=1, message="a bad thing")],
        None,
        Person(),
    )
    await _talks(bed, "new", person)
    return any("a bad thing" in each for each in person.heard)


async def bad_words_of_a_person(bed: Bed) -> bool:
    server: TalkingServer = bed.kept["talking"]
    server.asks, server.tells, server.error = form(), (), None
    server.heard.clear()
    await _talks(bed, "old", Person("a bad thing"))
    return any("a bad thing" in each for each in server.heard)


async def bad_words_of_a_later_round(bed: Bed) -> bool:
    server: TalkingServer = bed.kept["talking"]
    server.asks, server.tells, server.error = form(), (), None
    server.heard.clear()
    await _talks(bed, "new", Person("a bad thing"))
    return any("a bad thing" in each for each in server.heard)


async def bad_error(bed: Bed) -> bool:
    server: TalkingServer = bed.kept["talking"]
    server.asks, server.tells, server.error = None, (), {"code": -32050, "message": "a bad thing"}
    return "a bad thing" in await _talks(bed, "new", Person())


async def changed_skill(bed: Bed) -> bool:
    """A server describes a skill for approval in one way, and afterwards in another."""
    server = _server(bed)
    if "skill approved" not in bed.kept:
        bed.kept["skill approved"] = (await rpc(bed.gateway, "/s/mcp", "person-ann", "skills/list"))[2]
        assert "Reads." in bed.kept["skill approved"]
    head = {"name": "pdf", "description": f"Does something else, {next(_NUMBERS)}."}
    server.lists = {"skills/list": [{**SKILL, "frontmatter": head}]}
    return "something else" in (await rpc(bed.gateway, "/s/mcp", "person-ann", "skills/list"))[2]


async def _calls(bed: Bed, tool: str, **arguments: Any) -> str:
    """What a call told, or the error."""
    async with mcp_client(bed.gateway, "/s/mcp", "auto") as client:
        await client.list_tools()
        try:
            answer = await client.call_tool(tool, arguments)
        except MCPError as error:
            return f"refused: {error}"
        return json.dumps(answer.model_dump(mode="json"))


async def hidden_tool(bed: Bed) -> bool:
    server = _server(bed)
    server.lists = {"tools/list": [{**TOOL, "name": "hidden"}]}
    before = len(server.calls("tools/call"))
    await _calls(bed, "hidden")
    return len(server.calls("tools/call")) > before


async def changed_tool(bed: Bed) -> bool:
    """A server shows one description for approval and another one afterwards."""
    server = _server(bed)
    if "approved" not in bed.kept:
        bed.kept["approved"] = await _calls(bed, "act")
        assert "done" in bed.kept["approved"]
    server.lists = {"tools/list": [{**TOOL, "description": f"Does something else, {next(_NUMBERS)}."}]}
    return "done" in await _calls(bed, "act")


async def bad_arguments(bed: Bed) -> bool:
    server = _server(bed)
    before = len(server.calls("tools/call"))
    await _calls(bed, "act", q="a bad thing")
    return len(server.calls("tools/call")) > before


async def bad_result(bed: Bed) -> bool:
    _server(bed).answers = {"tools/call": {"content": [{"type": "text", "text": "a bad thing"}]}}
    return "a bad thing" in await _calls(bed, "act")


async def bad_definition(bed: Bed) -> bool:
    name = f"new-{next(_NUMBERS)}"
    _server(bed).lists = {"tools/list": [{**TOOL, "name": name, "description": f"A bad thing: a bad thing {name}"}]}
    async with mcp_client(bed.gateway, "/s/mcp", "auto") as client:
        return name in [tool.name for tool in (await client.list_tools()).tools]


async def token_for_another(bed: Bed) -> bool:
    """A token that the same issuer gave for another server."""
    issuer: Issuer = bed.kept["issuer"]
    token = issuer.token(aud="https://another.example/mcp", jti=str(next(_NUMBERS)))
    status, _, _ = await rpc(bed.gateway, "/s/mcp", token, "tools/list")
    return status == 200


async def session_of_another(bed: Bed) -> bool:
    id = await session(bed.gateway, "person-ann")
    status, _, told = await rpc(bed.gateway, "/s/mcp", "person-eve", "tools/list", session=id)
    return status == 200 and "tools" in told


async def task_of_another(bed: Bed) -> bool:
    agent: ScriptedAgent = bed.kept["agent"]
    _, said = await say(bed.gateway, {"text": "a task"}, key="person-ann")
    assert "task-of-the-agent" in said, said
    before = len(agent.heard)
    await task(bed.gateway, "person-eve", "GetTask", "task-of-the-agent")
    return len(agent.heard) > before


async def row_of_another(_bed: Bed) -> bool:
    """A sealed grant of one person, moved to the row of another one in the database."""
    from routeiq_oauth.vault.keyring import Keyring, Unsealable

    ring = Keyring([b"a secret of the tests alone"])
    sealed = ring.seal(b"a token", "ann", "upstream")
    try:
        return ring.open(sealed, "eve", "upstream") == b"a token"
    except Unsealable:
        return False


# Raw requests, for what no honest client does.


async def rpc(
    running: TestGateway, path: str, key: str, method: str, params: Mapping[str, Any] | None = None, session: str = ""
) -> tuple[int, Mapping[str, str], str]:
    """One message to a face; in the era before 2026 with a session."""
    headers = {"authorization": f"Bearer {key}", "accept": "application/json, text/event-stream"}
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": dict(params or {})}
    if session:
        headers |= {"mcp-session-id": session, "mcp-protocol-version": "2025-11-25"}
    elif method != "initialize":
        headers |= {"mcp-protocol-version": VERSION, "mcp-method": method}
        told = {"protocolVersion": VERSION, "clientCapabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        prefix = SERVER_INFO.partition("/")[0]
        body["params"]["_meta"] = {f"{prefix}/{name}": value for name, value in told.items()}
    async with running.session.post(path, json=body, headers=headers) as response:
        return response.status, dict(response.headers), (await response.read()).decode()


async def session(running: TestGateway, key: str) -> str:
    """A new session of an earlier client."""
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    status, headers, told = await rpc(running, "/s/mcp", key, "initialize", hello)
    assert status == 200, told
    return {name.lower(): value for name, value in headers.items()}["mcp-session-id"]


async def task(running: TestGateway, key: str, method: str, id: str, **params: Any) -> tuple[int, str]:
    """An operation on a task of the agent `actor`."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"id": id, **params}}
    headers = {"A2A-Version": "1.0", "authorization": f"Bearer {key}"}
    async with running.session.post("/a2a/actor", json=body, headers=headers) as response:
        return response.status, (await response.read()).decode()
