"""Many servers at one path: names, order, collisions, and what one dead server does not do."""

from __future__ import annotations

import asyncio

import pytest

from routeiq_mcp.hub.asking import UNAVAILABLE
from routeiq_mcp.seams import McpError
from routeiq_sdk import Principal
from routeiq_sdk.values.delegation import ConsentNeeded

from .world import Scripted, call, tool, world


async def test_everything_has_the_servers_name_in_front_and_one_server_its_own_names() -> None:
    async with world(Scripted("git", tool("log")), Scripted("wiki", tool("read"), tool("write"))) as w:
        assert await w.names(None) == ["git-log", "wiki-read", "wiki-write"]
        assert await w.names("wiki") == ["read", "write"]
        assert await w.text(None, "wiki-read") == "wiki/read"
        assert await w.text("wiki", "read") == "wiki/read"


async def test_an_alias_names_the_server_in_paths_and_in_front_of_its_tools() -> None:
    async with world(Scripted("github_mcp_server", tool("log")), aliases={"gh": "github_mcp_server"}) as w:
        assert await w.names(None) == ["gh-log"]
        assert await w.names("gh") == ["log"]
        assert await w.text(None, "gh-log") == "github_mcp_server/log"


async def test_a_dead_server_takes_nothing_from_the_others_and_is_named() -> None:
    async with world(Scripted("git", tool("log")), Scripted("wiki", tool("read"))) as w:
        w["git"].error = McpError(-32603, "server git is away")
        listed = await w.ask(None, "tools/list")
        assert [each["name"] for each in listed["tools"]] == ["wiki-read"]
        assert listed["_meta"][UNAVAILABLE] == [{"server": "git", "reason": "server git is away"}]
        assert listed["ttlMs"] == 0
        assert await w.text(None, "wiki-read") == "wiki/read"
        with pytest.raises(McpError, match="away"):
            await w.ask("git", "tools/list")


async def test_consent_that_is_missing_is_told_with_its_page() -> None:
    async with world(Scripted("git", tool("log")), Scripted("wiki", tool("read"))) as w:
        w["git"].error = ConsentNeeded("mcp:git", "http://here/connect", "q1", "connect git first")
        listed = await w.ask(None, "tools/list")
        (missing,) = listed["_meta"][UNAVAILABLE]
        assert missing == {"server": "git", "reason": "connect git first", "url": "http://here/connect"}


@pytest.mark.parametrize("name", ["git", "only", None])
async def test_who_has_not_agreed_yet_may_connect_and_is_asked_at_the_first_call(name: str | None) -> None:
    git, wiki = Scripted("git", tool("log")), Scripted("wiki", tool("read"))
    async with world(git, wiki, virtual_servers={"only": {"servers": ["git"]}}) as w:
        w["git"].error = ConsentNeeded("mcp:git", "http://here/connect", "q1", "connect git first")
        face = w.hub.faces.find(call(), name)
        assert face is not None
        assert set((await face.facts(call())).capabilities) == {"tools", "prompts", "resources"}
        with pytest.raises(ConsentNeeded):
            await w.text(name, "log" if name else "git-log")


async def test_consent_is_asked_for_the_server_whose_tool_is_called() -> None:
    servers = [Scripted("git", tool("log")), Scripted("wiki", tool("read"))]
    async with world(*servers, virtual_servers={"both": {"servers": ["git", "wiki"]}}) as w:
        await w.names("both")
        w.gateway.clock.advance(100_000)
        for server in servers:
            server.error = ConsentNeeded(f"mcp:{server.name}", "http://here", server.name, "connect first")
        for name, tool_name in (("git", "log"), ("wiki", "read")):
            with pytest.raises(ConsentNeeded) as needed:
                await w.text("both", tool_name, call(Principal("another key")))
            assert needed.value.id == name


async def test_a_server_that_does_not_say_its_name_has_the_one_that_it_has_here() -> None:
    async with world(Scripted("git", tool("log"))) as w:
        w["git"].info = {}
        face = w.hub.faces.find(call(), "git")
        assert face is not None
        assert (await face.facts(call())).info["name"] == "git"
        assert (await face.facts(call())).info["version"]


async def test_servers_are_asked_at_once_and_their_order_is_kept() -> None:
    servers = [Scripted(f"s{number}", tool("t")) for number in range(5)]
    async with world(*servers) as w:
        gate = asyncio.Event()
        for server in servers:
            server.hold = gate
        asking = asyncio.create_task(w.names(None))
        async with asyncio.timeout(5):
            while not all(server.asked for server in servers):
                await asyncio.sleep(0)
        gate.set()
        assert await asking == [f"s{number}-t" for number in range(5)]


async def test_of_two_equal_names_the_first_keeps_it_and_the_second_gets_its_servers() -> None:
    virtual = {"both": {"servers": ["a", "b"]}}
    async with world(Scripted("a", tool("x")), Scripted("b", tool("x"), tool("y")), virtual_servers=virtual) as w:
        assert await w.names("both") == ["x", "b-x", "y"]
        assert await w.text("both", "x") == "a/x"
        assert await w.text("both", "b-x") == "b/x"


async def test_a_name_never_changes_its_owner_while_the_owner_is_away() -> None:
    virtual = {"both": {"servers": ["a", "b"]}}
    async with world(Scripted("a", tool("x")), Scripted("b", tool("x")), virtual_servers=virtual) as w:
        assert await w.names("both") == ["x", "b-x"]
        w["a"].error = McpError(-32603, "server a is away")
        w.hub.registry.servers["a"].lists.drop()
        assert await w.names("both") == ["b-x"]
        with pytest.raises(McpError, match="server a is away"):
            await w.ask("both", "tools/call", name="x")
        assert w["b"].count("tools/call") == 0


async def test_a_tool_whose_name_another_server_already_uses_in_full_is_never_called_by_mistake() -> None:
    virtual = {"all": {"servers": ["a", "b", "c"]}}
    servers = (Scripted("a", tool("x")), Scripted("b", tool("x")), Scripted("c", tool("b-x")))
    async with world(*servers, virtual_servers=virtual) as w:
        assert await w.names("all") == ["x", "b-x", "c-b-x"]
        assert await w.text("all", "b-x") == "b/x"
        assert await w.text("all", "c-b-x") == "c/b-x"


async def test_pages_lead_through_the_lists_of_all_servers_whatever_their_own_pages_are() -> None:
    a = Scripted("a", *(tool(f"t{number}") for number in range(7)))
    b = Scripted("b", *(tool(f"t{number}") for number in range(5)))
    a.page, b.page = 3, 2
    async with world(a, b, page_size=4) as w:
        seen: list[str] = []
        cursor: dict[str, str] = {}
        pages = 0
        while True:
            listed = await w.ask(None, "tools/list", **cursor)
            seen += [each["name"] for each in listed["tools"]]
            pages += 1
            if "nextCursor" not in listed:
                break
            cursor = {"cursor": listed["nextCursor"]}
        assert seen == [f"a-t{n}" for n in range(7)] + [f"b-t{n}" for n in range(5)]
        assert pages == 3
        for bad in ("", "x", "W10", "bnVsbA", "WzEsMl0"):
            with pytest.raises(McpError, match="Invalid cursor"):
                await w.ask(None, "tools/list", cursor=bad)


async def test_a_page_goes_on_where_it_stopped_when_tools_came_before_it() -> None:
    a = Scripted("a", *(tool(f"t{number}") for number in range(4)))
    async with world(a, page_size=2) as w:
        first = await w.ask("a", "tools/list")
        a.lists["tools"].insert(0, tool("new"))
        w.hub.registry.servers["a"].lists.drop()
        second = await w.ask("a", "tools/list", cursor=first["nextCursor"])
        assert [each["name"] for each in second["tools"]] == ["t2", "t3"]


async def test_a_server_whose_pages_never_end_is_an_error_and_not_a_loop() -> None:
    class Endless(Scripted):
        async def request(self, ctx, method, params, peer):
            number = int(params.get("cursor", 0))
            return {"tools": [tool(f"t{number}")], "nextCursor": str(number + 1)}

    async with world(Endless("a"), Scripted("b", tool("y"))) as w:
        listed = await w.ask(None, "tools/list")
        assert [each["name"] for each in listed["tools"]] == ["b-y"]
        assert "never end" in listed["_meta"][UNAVAILABLE][0]["reason"]


async def test_the_headers_narrow_a_face_and_grant_nothing() -> None:
    servers = {"b": {"access_groups": ["dev"]}, "c": {"access_groups": ["dev"]}}
    virtual = {"ab": {"servers": ["a", "b"], "prefix": True}}
    scripted = [Scripted(name, tool("t")) for name in "abc"]
    async with world(*scripted, servers=servers, virtual_servers=virtual) as w:
        assert await w.names(None, call(x_mcp_servers="c, a")) == ["a-t", "c-t"]
        assert await w.names(None, call(x_mcp_servers="dev")) == ["b-t", "c-t"]
        assert await w.names(None, call(x_mcp_access_groups="dev")) == ["b-t", "c-t"]
        assert await w.names("ab", call(x_mcp_servers="c,b")) == ["b-t"]
        assert await w.names(None, call(x_mcp_servers="nobody")) == []
        assert await w.names("dev") == ["b-t", "c-t"]
        assert await w.names("a,c") == ["a-t", "c-t"]
        with pytest.raises(McpError, match="Unknown tool"):
            await w.ask("ab", "tools/call", call(x_mcp_servers="b"), name="a-t")


async def test_nobody_is_at_a_path_that_names_no_server() -> None:
    async with world(Scripted("a", tool("t"))) as w:
        assert w.hub.faces.find(call(), "z") is None


async def test_facts_are_what_the_servers_say_together() -> None:
    a, b = Scripted("a"), Scripted("b")
    a.capabilities = {"tools": {}, "resources": {"subscribe": True}, "extensions": {"io.modelcontextprotocol/ui": {}}}
    b.capabilities = {"prompts": {"listChanged": True}, "completions": {}, "extensions": {"example.com/own": {}}}
    a.instructions, b.instructions = "Ask a.", None
    async with world(a, b) as w:
        face = w.hub.faces.find(call(), None)
        facts = await face.facts(call())
        assert facts.capabilities == {
            "tools": {"listChanged": True},
            "resources": {"subscribe": True},
            "prompts": {"listChanged": True},
            "completions": {},
            "extensions": {"io.modelcontextprotocol/ui": {}},
        }
        assert facts.instructions == "# a\nAsk a."
        alone = await w.hub.faces.find(call(), "b").facts(call())
        assert alone.capabilities["extensions"] == {"example.com/own": {}}
        b.error = McpError(-32603, "away")
        assert (await face.facts(call())).capabilities["tools"] == {"listChanged": True}


async def test_a_method_of_an_extension_goes_to_the_one_server_that_has_it() -> None:
    a, b = Scripted("a", tool("x")), Scripted("b")
    b.capabilities = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
    async with world(a, b) as w:
        assert (await w.ask(None, "tasks/get"))["content"][0]["text"] == "b/None"
        assert a.count("tasks/get") == 0
        assert (await w.ask("a", "example.com/anything"))["resultType"] == "complete"
        for method in ("prompts/secret", "tools/secret", "example.com/anything"):
            with pytest.raises(McpError, match="Method not found"):
                await w.ask(None, method)


async def test_notifications_of_all_servers_reach_who_asked_for_them() -> None:
    a = Scripted("a", tool("t"), resources=[{"uri": "a://1", "name": "one"}])
    b = Scripted("b", tool("t"), resources=[{"uri": "b://1", "name": "one"}])
    async with world(a, b) as w:
        await w.names(None)
        face = w.hub.faces.find(call(), None)
        wanted = {"toolsListChanged": True, "resourceSubscriptions": ["b://1"]}
        notes = face.listen(call(), wanted)
        first = asyncio.ensure_future(anext(notes))
        async with asyncio.timeout(5):
            while not (a.wanted and b.wanted):
                await asyncio.sleep(0)
        assert a.wanted == [{"toolsListChanged": True}]
        assert b.wanted == [wanted]
        a.notes.put_nowait(("notifications/prompts/list_changed", {}))
        b.notes.put_nowait(("notifications/resources/updated", {"uri": "b://1"}))
        assert await first == ("notifications/resources/updated", {"uri": "b://1"})
        a.lists["tools"].append(tool("u"))
        a.notes.put_nowait(("notifications/tools/list_changed", {}))
        assert await anext(notes) == ("notifications/tools/list_changed", {})
        assert await w.names(None) == ["a-t", "a-u", "b-t"]
        await notes.aclose()


async def test_what_one_caller_meets_says_nothing_of_a_server_that_tells_callers_apart() -> None:
    from routeiq_mcp.hub.health import health_of
    from routeiq_mcp.upstream.health import Failure
    from routeiq_sdk import Principal, RequestError

    ann, bob = call(Principal("ann"), x_tenant="1"), call(Principal("bob"), x_tenant="2")
    servers = {"a": {"extra_headers": ["x-tenant"]}}
    async with world(Scripted("a", tool("x")), Scripted("b", tool("y")), servers=servers, list_seconds=0) as w:
        for error in (RequestError(403, "the exchange was refused"), McpError(-32603, "bob may not")):
            w["a"].error = error
            assert await w.names(None, bob) == ["b-y"]
            w["a"].error = None
            assert await w.names(None, ann) == ["a-x", "b-y"]
            assert health_of(w.hub).status == "ok"
        w["a"].error = Failure(-32603, "server a is away", "away")
        assert await w.names(None, bob) == ["b-y"]
        assert health_of(w.hub).reason == "MCP servers away: a"
