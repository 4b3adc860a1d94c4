"""What is hidden is refused: permission of plugins, the operator's lists, virtual servers and their callers."""

from __future__ import annotations

import pytest

from routeiq_mcp.seams import McpError
from routeiq_sdk import Principal, RequestError

from .world import Scripted, call, tool, world


async def test_what_plugins_do_not_permit_is_in_no_list_and_is_refused() -> None:
    async with world(Scripted("a", tool("x"), tool("y"))) as w:
        w.gateway.tools.hidden = {("a", "y")}
        assert await w.names(None) == ["a-x"]
        assert await w.names("a") == ["x"]
        with pytest.raises(RequestError) as refused:
            await w.ask("a", "tools/call", name="y")
        assert refused.value.status == 403
        assert w["a"].count("tools/call") == 0


@pytest.mark.parametrize(
    "row",
    [{"allowed_tools": ["x"]}, {"allowed_tools": ["a-x"]}, {"disallowed_tools": ["y"]}, {"disallowed_tools": ["a-y"]}],
    ids=lambda row: str(row),
)
async def test_what_the_operator_does_not_offer_is_in_no_list_and_is_refused(row) -> None:
    async with world(Scripted("a", tool("x"), tool("y")), servers={"a": row}) as w:
        assert await w.names("a") == ["x"]
        assert await w.names(None) == ["a-x"]
        for face, name in (("a", "y"), (None, "a-y")):
            with pytest.raises(McpError, match="Unknown tool"):
                await w.ask(face, "tools/call", name=name)
        assert w["a"].count("tools/call") == 0


async def test_a_virtual_server_has_its_tools_and_no_others() -> None:
    virtual = {"some": {"servers": ["a", "b"], "tools": ["r*", "b-w*"], "prefix": True}}
    a, b = Scripted("a", tool("read"), tool("write")), Scripted("b", tool("read"), tool("write"))
    async with world(a, b, virtual_servers=virtual) as w:
        assert await w.names("some") == ["a-read", "b-read", "b-write"]
        for name in ("a-write", "write", "read"):
            with pytest.raises(McpError, match="Unknown tool"):
                await w.ask("some", "tools/call", name=name)


async def test_a_virtual_server_is_there_for_those_it_names_and_for_nobody_else() -> None:
    virtual = {"v": {"servers": ["a"], "teams": ["red"], "keys": ["key-9", "named"], "users": ["ann"]}}
    async with world(Scripted("a", tool("x")), virtual_servers=virtual) as w:

        def there(**fields: str) -> bool:
            principal = Principal(fields.pop("id", "key-1"), **fields)
            return w.hub.faces.find(call(principal), "v") is not None

        assert not there()
        assert there(team="red")
        assert not there(team="blue")
        assert there(id="key-9")
        assert there(alias="named")
        assert there(user="ann")
        assert there(kind="admin")


async def test_resources_and_prompts_that_a_virtual_server_does_not_offer_are_not_there() -> None:
    lists = {"resources": [{"uri": "a://1", "name": "1"}], "prompts": [{"name": "p"}]}
    a = Scripted("a", tool("x"), **lists)
    a.capabilities = {"tools": {}, "resources": {}, "prompts": {}}
    virtual = {"v": {"servers": ["a"], "resources": False, "prompts": False}}
    async with world(a, virtual_servers=virtual) as w:
        assert (await w.ask("v", "resources/list"))["resources"] == []
        assert (await w.ask("v", "prompts/list"))["prompts"] == []
        for method, params in (("resources/read", {"uri": "a://1"}), ("prompts/get", {"name": "p"})):
            with pytest.raises(McpError):
                await w.ask("v", method, **params)
        face = w.hub.faces.find(call(), "v")
        assert set((await face.facts(call())).capabilities) == {"tools"}
        assert a.count("resources/read") == a.count("prompts/get") == 0


async def test_parameters_that_are_not_allowed_never_reach_the_server_and_cost_nothing() -> None:
    row = {"allowed_params": {"x": ["status"]}, "mcp_info": {"mcp_server_cost_info": {"default_cost_per_query": 0.01}}}
    async with world(Scripted("a", tool("x"), tool("y")), servers={"a": row}) as w:
        assert await w.text("a", "x", status="open") == "a/x"
        assert await w.text("a", "y", anything="goes") == "a/y"
        with pytest.raises(McpError, match=r"\['limit'\] are not allowed for tool x") as refused:
            await w.ask("a", "tools/call", name="x", arguments={"status": "open", "limit": 10})
        assert refused.value.data["status"] == 403
        assert w["a"].count("tools/call") == 2
        assert [each.price for each in w.gateway.tools.calls] == [10_000_000, 10_000_000, 0]


async def test_a_call_carries_its_price_and_the_facts_of_its_record() -> None:
    info = {"mcp_server_cost_info": {"default_cost_per_query": 0.01, "tool_name_to_cost_per_query": {"y": "0.05"}}}
    virtual = {"v": {"servers": ["a"]}}
    async with world(
        Scripted("a", tool("x"), tool("y")), servers={"a": {"mcp_info": info}}, virtual_servers=virtual
    ) as w:
        await w.hub.faces.find(call(), "v").facts(call())
        await w.text("v", "x")
        await w.text("v", "y")
        assert [each.price for each in w.gateway.tools.calls] == [10_000_000, 50_000_000]
        assert w.gateway.tools.calls[0].attributes == {
            "auth_mode": "none",
            "virtual_server": "v",
            "upstream_era": "modern",
            "upstream_version": "v",
            "method": "tools/call",
        }


async def test_more_calls_a_minute_than_allowed_are_refused_until_the_next_one() -> None:
    async with world(Scripted("a", tool("x")), servers={"a": {"rpm": 2}}) as w:
        for _ in range(2):
            await w.text("a", "x")
        with pytest.raises(RequestError) as refused:
            await w.text("a", "x")
        assert refused.value.status == 429
        assert int(refused.value.headers["retry-after"]) <= 60
        assert w["a"].count("tools/call") == 2
        w.gateway.clock.advance(60)
        assert await w.text("a", "x") == "a/x"


async def test_more_calls_at_once_than_allowed_are_refused_in_all_processes_and_places_come_free() -> None:
    import asyncio

    async with world(Scripted("a", tool("x")), servers={"a": {"max_concurrent_requests": 2}}) as w:
        await w.names("a")
        # the same state as another process sees it
        async with world(
            Scripted("a", tool("x")), gateway=w.gateway, servers={"a": {"max_concurrent_requests": 2}}
        ) as o:
            await o.names("a")
            w["a"].hold = o["a"].hold = asyncio.Event()
            running = [asyncio.create_task(w.text("a", "x")), asyncio.create_task(o.text("a", "x"))]
            async with asyncio.timeout(5):
                while w["a"].count("tools/call") + o["a"].count("tools/call") < 2:
                    await asyncio.sleep(0)
            for each in (w, o):
                with pytest.raises(RequestError) as refused:
                    await each.text("a", "x")
                assert refused.value.status == 429
            w["a"].hold.set()
            assert await asyncio.gather(*running) == ["a/x", "a/x"]
            assert await w.text("a", "x") == "a/x"


async def test_a_place_comes_free_when_the_server_fails() -> None:
    async with world(Scripted("a", tool("x")), servers={"a": {"max_concurrent_requests": 1}}) as w:
        await w.names("a")
        w["a"].error = McpError(-32603, "no")
        for _ in range(3):
            with pytest.raises(McpError, match="no"):
                await w.text("a", "x")
        w["a"].error = None
        assert await w.text("a", "x") == "a/x"


async def test_permissions_may_name_a_server_by_its_id_its_alias_and_its_groups_for_lists_and_for_calls() -> None:
    from routeiq_sdk.testing import FakeGateway
    from routeiq_sdk.testing.fakes import FakeTools

    class Asked(FakeTools):
        def __init__(self) -> None:
            super().__init__()
            self.names: set[tuple[frozenset[str], frozenset[str]]] = set()

        async def permitted(self, ctx, protocol, server, tools, *, aliases=frozenset(), groups=frozenset()):
            self.names.add((aliases, groups))
            return await super().permitted(ctx, protocol, server, tools)

    gateway = FakeGateway("mcp")
    gateway.tools = Asked()
    row = {"alias": "al", "server_id": "id", "access_groups": ["dev"]}
    lists = {"resources": [{"uri": "a://1", "name": "1"}], "prompts": [{"name": "p"}]}
    async with world(Scripted("a", tool("x"), **lists), gateway=gateway, servers={"a": row}) as w:
        for method in ("tools/list", "resources/list", "prompts/list"):
            await w.ask(None, method)
        await w.text("a", "x")
        await w.ask("a", "resources/read", uri="a://1")
        await w.ask("a", "example.com/own")
        expected = (frozenset({"al", "id"}), frozenset({"dev"}))
        assert gateway.tools.names == {expected}
        assert {(call.aliases, call.groups) for call in gateway.tools.calls} == {expected}
    await gateway.aclose()
