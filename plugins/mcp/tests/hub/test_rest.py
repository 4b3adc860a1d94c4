"""Tools over plain HTTP: LiteLLM's shapes, and no other road than MCP's."""

from __future__ import annotations

import json

import pytest

from routeiq_mcp.rest.routes import Rest
from routeiq_mcp.seams import McpError
from routeiq_sdk import RequestError
from routeiq_sdk.values.delegation import ConsentNeeded

from .world import Scripted, answered, http, tool, world


async def called(w, **body) -> tuple[int, dict]:
    response = await Rest(lambda: w.hub).call(http("POST", json.dumps(body).encode()))
    return response.status, answered(response)


async def test_tools_are_listed_with_the_server_they_are_of() -> None:
    servers = {"git": {"server_id": "id-1", "mcp_info": {"logo": "x"}}}
    async with world(Scripted("git", tool("log")), Scripted("wiki", tool("read")), servers=servers) as w:
        rest = Rest(lambda: w.hub)
        listed = answered(await rest.list(http()))
        assert listed["error"] is None
        assert [(t["name"], t["mcp_info"]["server_name"]) for t in listed["tools"]] == [
            ("git-log", "git"),
            ("wiki-read", "wiki"),
        ]
        for id in ("git", "id-1"):
            (one,) = answered(await rest.list(http(query={"server_id": id})))["tools"]
            assert one["name"] == "log"
            assert one["mcp_info"] == {"logo": "x", "server_name": "git", "server_id": "id-1"}
        missing = await rest.list(http(query={"server_id": "nobody"}))
        assert (missing.status, answered(missing)["detail"]["error"]) == (404, "server_not_found")


async def test_a_tool_is_called_by_its_own_name_and_with_its_servers_in_front() -> None:
    async with world(Scripted("git", tool("log"))) as w:
        for name in ("log", "git-log"):
            status, body = await called(w, server_id="git", name=name, arguments={"n": 1})
            assert status == 200
            assert body == {"content": [{"type": "text", "text": "git/log"}]}
        assert (await called(w, server_id="git", name="log"))[0] == 200


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"name": "git-log"}, 400, "missing_parameter"),
        ({"server_id": "git"}, 400, "missing_parameter"),
        ({"server_id": "git", "name": "log", "arguments": None}, 400, "invalid_request"),
        ({"server_id": "nobody", "name": "log"}, 404, "server_not_found"),
        ({"server_id": "git", "name": "wiki-read"}, 403, "tool_server_mismatch"),
        ({"server_id": "git", "name": "nothing"}, 404, "tool_not_found"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_cannot_be_called_says_why(body, status, error) -> None:
    async with world(Scripted("git", tool("log")), Scripted("wiki", tool("read"))) as w:
        got, told = await called(w, **body)
        assert (got, told["detail"]["error"]) == (status, error)
        assert w["wiki"].count("tools/call") == 0


async def test_rest_is_no_way_around_permission_and_quarantine() -> None:
    async with world(Scripted("git", tool("log"), tool("push")), pins={"first_sight": "trust_first_use"}) as w:
        w.gateway.tools.hidden = {("git", "push")}
        listed = answered(await Rest(lambda: w.hub).list(http(query={"server_id": "git"})))
        assert [each["name"] for each in listed["tools"]] == ["log"]
        with pytest.raises(RequestError) as refused:
            await called(w, server_id="git", name="push")
        assert refused.value.status == 403
        w["git"].lists["tools"] = [tool("log", "changed")]
        w.hub.registry.servers["git"].lists.drop()
        status, told = await called(w, server_id="git", name="log")
        assert (status, told["detail"]["error"]) == (403, "tool_quarantined")
        assert w["git"].count("tools/call") == 0


async def test_what_a_caller_over_rest_cannot_do_is_said() -> None:
    async with world(Scripted("git", tool("log"))) as w:
        await w.names("git")
        w["git"].answer = lambda ctx, method, params: {"resultType": "input_required", "requestState": "s"}
        assert (await called(w, server_id="git", name="log"))[0] == 422
        w["git"].error = ConsentNeeded("mcp:git", "http://here/connect", "q", "connect git first")
        status, told = await called(w, server_id="git", name="log")
        assert (status, told["detail"]["url"]) == (403, "http://here/connect")
        w["git"].error = McpError(-32603, "server git is away")
        status, told = await called(w, server_id="git", name="log")
        assert (status, told["detail"]["message"]) == (502, "server git is away")
