"""Servers that are added at run time: what a request may say, what it may not, and who hears of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from routeiq_mcp.admin.routes import Api
from routeiq_mcp.seams import McpError
from routeiq_sdk import RequestError
from routeiq_sdk.testing import FakeGateway

from .world import Scripted, answered, http, tool, world

SECRET = "sk-very-secret-credential"
ROW = {
    "server_name": "wiki",
    "alias": "w",
    "url": f"https://user:{SECRET}@wiki.example/mcp?key={SECRET}",
    "transport": "http",
    "auth_type": "bearer_token",
    "credentials": {"auth_value": SECRET},
    "static_headers": {"x-tenant": SECRET},
    "mcp_access_groups": ["dev"],
    "allowed_tools": [],
    "description": "the wiki",
}


async def post(w, body: Any) -> Any:
    return answered(await Api(lambda: w.hub).create(http("POST", json.dumps(body).encode())))


async def test_a_server_that_is_added_is_served_and_found_by_each_of_its_names() -> None:
    async with world(Scripted("git", tool("log"))) as w:
        w.scripted["wiki"] = Scripted("wiki", tool("read"))
        told = await post(w, ROW)
        assert (told["server_name"], told["alias"], told["source"], told["status"]) == ("wiki", "w", "added", "unknown")
        assert await w.names(None) == ["git-log", "w-read"]
        assert await w.text("w", "read") == "wiki/read"
        assert await w.names("dev") == ["w-read"]
        api = Api(lambda: w.hub)
        for name in (told["server_id"], "wiki", "w"):
            assert answered(await api.one(http(server_id=name)))["server_id"] == told["server_id"]
        assert [row["server_name"] for row in answered(await api.list(http()))] == ["git", "wiki"]
        assert answered(await api.groups(http())) == {"access_groups": ["dev"]}
        assert [each["name"] for each in answered(await api.tools(http()))["tools"]] == ["git-log", "w-read"]


async def test_what_a_request_adds_is_trusted_with_nothing() -> None:
    async with world() as w:
        await post(w, ROW)
        (spec,) = w.opened
        assert not spec.trusted
        assert spec.delegate.untrusted
        assert spec.program is None
        assert spec.auth.headers["Authorization"].get_secret_value() == f"Bearer {SECRET}"


async def test_no_answer_and_no_record_holds_a_credential() -> None:
    async with world() as w:
        said = [await post(w, ROW)]
        api = Api(lambda: w.hub)
        said += [answered(await api.list(http())), answered(await api.one(http(server_id="wiki")))]
        said.append(answered(await api.health(http())))
        assert SECRET not in json.dumps(said)
        assert said[0]["url"] == "https://wiki.example/mcp"
        kept = [value async for _, value in w.gateway.state.scan("mcp-servers")]
        assert kept
        assert all(SECRET.encode() not in value for value in kept)
        for path in w.gateway.data_dir.iterdir():
            assert SECRET.encode() not in path.read_bytes()
            assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "field",
    [
        {"command": "sh"},
        {"args": ["-c", "id"]},
        {"env": {"LD_PRELOAD": "x"}},
        {"transport": "stdio"},
        {"spec_path": "/etc/passwd"},
        {"spec_path": "file:///etc/passwd"},
        {"token_validation": {"iss": "x"}},
        {"auth_type": "true_passthrough"},
        {"auth_type": "bearer_token", "credentials": {}},
        {"extra_headers": ["Authorization"]},
        {"server_name": "a/b"},
        {"server_name": "mcp"},
        {"server_name": None, "alias": None},
        {"url": None},
        {"rpm": 0},
        {"server_id": "a#b"},
    ],
    ids=lambda field: json.dumps(field)[:40],
)
async def test_a_row_that_cannot_be_kept_is_refused_and_leaves_nothing(field) -> None:
    async with world(Scripted("git")) as w:
        with pytest.raises(RequestError) as refused:
            await post(w, {**ROW, **field})
        assert refused.value.status == 400
        assert SECRET not in refused.value.message
        assert not w.hub.shelf.rows()


@pytest.mark.parametrize("name", ["git", "g", "git-id", "tools", "v"])
async def test_a_name_that_is_taken_is_refused_whatever_has_it(name: str) -> None:
    servers = {"git": {"alias": "g", "server_id": "git-id", "access_groups": ["tools"]}}
    async with world(Scripted("git"), servers=servers, virtual_servers={"v": {"servers": ["git"]}}) as w:
        for body in ({**ROW, "server_name": name, "alias": None}, {**ROW, "alias": name}):
            with pytest.raises(RequestError) as refused:
                await post(w, body)
            assert refused.value.status == 409


async def test_a_server_is_added_once() -> None:
    async with world() as w:
        await post(w, {**ROW, "server_id": "one"})
        for body in (ROW, {**ROW, "server_name": "other", "alias": "o", "server_id": "one"}):
            with pytest.raises(RequestError) as refused:
                await post(w, body)
            assert refused.value.status == 409


async def test_a_row_of_the_yaml_is_not_changed_by_a_request() -> None:
    async with world(Scripted("git", tool("log"))) as w:
        api = Api(lambda: w.hub)
        body = json.dumps({"server_id": "git", "url": "http://elsewhere.example"}).encode()
        for asked in (api.change(http("PUT", body)), api.delete(http("DELETE", server_id="git"))):
            with pytest.raises(RequestError) as refused:
                await asked
            assert (refused.value.status, refused.value.code) == (409, "immutable")
        assert await w.names("git") == ["log"]


async def test_a_change_keeps_what_it_does_not_name_and_opens_the_server_anew() -> None:
    async with world() as w:
        w.scripted["wiki"] = Scripted("wiki", tool("read"), tool("write"))
        told = await post(w, ROW)
        first = w.opened[-1]
        body = json.dumps({"server_id": told["server_id"], "allowed_tools": ["read"], "description": None}).encode()
        changed = answered(await Api(lambda: w.hub).change(http("PUT", body)))
        assert (changed["allowed_tools"], changed["description"]) == (["read"], None)
        assert w.opened[-1].auth == first.auth
        assert await w.names("wiki") == ["read"]
        assert w["wiki"].closed


async def test_a_server_that_is_removed_is_gone_with_its_pins() -> None:
    class Delegation:
        def __init__(self) -> None:
            self.forgotten: list[str] = []

        async def forget(self, delegate_id: str) -> None:
            self.forgotten.append(delegate_id)

    async with world() as w:
        w.gateway.delegation = Delegation()
        w.scripted["wiki"] = Scripted("wiki", tool("read"))
        told = await post(w, ROW)
        await w.names("wiki")
        assert w.hub.pins.of(told["server_id"])
        await Api(lambda: w.hub).delete(http("DELETE", server_id=told["server_id"]))
        assert w.hub.faces.find(http().context, "wiki") is None
        assert not w.hub.pins.of(told["server_id"])
        assert w["wiki"].closed
        assert w.gateway.delegation.forgotten == ["mcp:wiki"]


async def test_other_processes_hear_of_a_change_and_keep_what_did_not_change() -> None:
    async with world() as w, world(gateway=w.gateway) as other:
        await post(w, ROW)
        await other.hub.shelf.kept.refresh()
        kept = other.hub.registry.servers["wiki"]
        w.gateway.clock.advance(1)
        await post(w, {**ROW, "server_name": "second", "alias": "s"})
        await other.hub.shelf.kept.refresh()
        assert list(other.hub.registry.servers) == ["wiki", "second"]
        assert other.hub.registry.servers["wiki"] is kept


async def test_what_was_added_outlives_a_restart_that_empties_the_state() -> None:
    first, second = FakeGateway("mcp"), FakeGateway("mcp")
    async with world(gateway=first) as w:
        told = await post(w, ROW)
    second._directory = first._directory
    async with world(gateway=second) as w:
        assert w.hub.registry.servers["wiki"].id == told["server_id"]
    second._directory = None
    await second.aclose()
    await first.aclose()


async def test_a_row_that_the_yaml_now_has_is_told_and_not_served() -> None:
    from routeiq_mcp.hub.health import health_of

    gateway = FakeGateway("mcp")
    async with world(gateway=gateway) as w:
        await post(w, ROW)
    async with world(Scripted("wiki", tool("yaml")), gateway=gateway) as w:
        assert await w.names(None) == ["wiki-yaml"]
        assert "wiki" in health_of(w.hub).reason
    await gateway.aclose()


async def test_health_asks_every_server_and_the_readiness_page_names_the_dead() -> None:
    from routeiq_mcp.hub.health import health_of

    async with world(Scripted("git"), Scripted("wiki")) as w:
        assert health_of(w.hub).status == "ok"
        w["wiki"].error = McpError(-32603, "server wiki is away")
        rows = answered(await Api(lambda: w.hub).health(http()))
        assert [(row["server_name"], row["status"]) for row in rows] == [("git", "healthy"), ("wiki", "unhealthy")]
        assert health_of(w.hub).status == "degraded"
        assert health_of(w.hub).reason == "MCP servers away: wiki"
        w["wiki"].error = None
        await Api(lambda: w.hub).health(http(query={"server_ids": "wiki"}))
        assert health_of(w.hub).status == "ok"


async def test_a_tool_is_approved_over_the_api_as_it_was_seen() -> None:
    async with world(Scripted("git", tool("log")), pins={"first_sight": "approve_all"}) as w:
        await w.names("git")
        api = Api(lambda: w.hub)
        (row,) = answered(await api.waiting(http(server_id="git")))["tools"]
        assert (row["name"], row["approved"]) == ("log", None)
        wrong = json.dumps({"sha256": "0" * 64}).encode()
        with pytest.raises(RequestError) as refused:
            await api.approve(http("POST", wrong, server_id="git", tool="log"))
        assert refused.value.status == 409
        seen = json.dumps({"sha256": row["waiting"]}).encode()
        assert (
            answered(await api.approve(http("POST", seen, server_id="git", tool="log")))["approved"] == row["waiting"]
        )
        assert await w.names("git") == ["log"]
        with pytest.raises(RequestError) as refused:
            await api.approve(http("POST", server_id="git", tool="nobody"))
        assert refused.value.status == 404


async def test_a_row_sealed_with_another_secret_is_told_and_the_others_are_served() -> None:
    from routeiq_mcp.hub.health import health_of

    gateway = FakeGateway("mcp")
    async with world(gateway=gateway) as w:
        await post(w, {**ROW, "server_id": "wiki-1"})
    (gateway.data_dir / "secret").unlink()
    async with world(Scripted("git", tool("log")), gateway=gateway) as w:
        assert await w.names(None) == ["git-log"]
        assert "wiki-1" in health_of(w.hub).reason
        assert "encryption_key" in w.hub.faults["wiki-1"]
    await gateway.aclose()
