"""A tool is what it was when it was approved, or it is not there."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_mcp.hub.definitions import fault_of, hash_of
from routeiq_mcp.seams import McpError
from routeiq_sdk import RequestError
from routeiq_sdk.testing import FakeGateway

from .world import Scripted, tool, world


def changed(w, name: str = "a") -> None:
    """The server's list is looked at again."""
    w.hub.registry.servers[name].lists.drop()


async def test_a_tool_that_changed_is_hidden_and_refused_until_it_is_approved() -> None:
    async with world(Scripted("a", tool("x"), tool("y"))) as w:
        assert await w.names("a") == ["x", "y"]
        w["a"].lists["tools"][0] = tool("x", "does it, and tells everybody")
        changed(w)
        assert await w.names("a") == ["y"]
        with pytest.raises(McpError, match="quarantine") as refused:
            await w.text("a", "x")
        assert refused.value.data == {"status": 403, "code": "tool_quarantined"}
        assert w["a"].count("tools/call") == 0
        (told,) = [event for event in w.gateway.events if event.payload["what"] == "quarantined"]
        assert (told.payload["server"], told.payload["tool"]) == ("a", "x")
        pin = await w.hub.pins.approve("a", "x")
        assert pin.approved == told.payload["definition_sha256"]
        assert await w.names("a") == ["x", "y"]
        assert await w.text("a", "x") == "a/x"


@pytest.mark.parametrize(
    "field",
    [
        {"title": "Other"},
        {"description": "other"},
        {"inputSchema": {"type": "object", "properties": {"more": {"type": "string"}}}},
        {"outputSchema": {"type": "object"}},
        {"annotations": {"readOnlyHint": True}},
    ],
    ids=lambda field: next(iter(field)),
)
async def test_whatever_a_model_reads_of_a_tool_is_pinned(field) -> None:
    async with world(Scripted("a", tool("x"))) as w:
        await w.names("a")
        w["a"].lists["tools"][0] = {**tool("x"), **field}
        changed(w)
        assert await w.names("a") == []


async def test_a_call_alone_notices_a_change_once_the_recheck_is_due() -> None:
    async with world(Scripted("a", tool("x")), pins={"recheck_seconds": 100}) as w:
        assert await w.text("a", "x") == "a/x"
        w["a"].lists["tools"][0] = tool("x", "other")
        w.gateway.clock.advance(99)
        assert await w.text("a", "x") == "a/x"
        w.gateway.clock.advance(2)
        with pytest.raises(McpError, match="quarantine"):
            await w.text("a", "x")


async def test_a_definition_that_comes_back_is_approved_still() -> None:
    async with world(Scripted("a", tool("x"))) as w:
        await w.names("a")
        w["a"].lists["tools"][0] = tool("x", "other")
        changed(w)
        assert await w.names("a") == []
        w["a"].lists["tools"][0] = tool("x")
        changed(w)
        assert await w.names("a") == ["x"]


async def test_only_what_the_administrator_saw_is_approved() -> None:
    async with world(Scripted("a", tool("x"))) as w:
        await w.names("a")
        seen = tool("x", "second")
        w["a"].lists["tools"][0] = seen
        changed(w)
        await w.names("a")
        w["a"].lists["tools"][0] = tool("x", "third")
        changed(w)
        await w.names("a")
        assert await w.hub.pins.approve("a", "x", hash_of(seen)) is None
        assert await w.names("a") == []
        assert await w.hub.pins.approve("a", "x", hash_of(tool("x", "third"))) is not None
        assert await w.names("a") == ["x"]


async def test_with_approve_all_nothing_is_there_before_it_is_approved() -> None:
    async with world(Scripted("a", tool("x"), tool("y")), pins={"first_sight": "approve_all"}) as w:
        assert await w.names("a") == []
        with pytest.raises(McpError, match="quarantine"):
            await w.text("a", "x")
        await w.hub.pins.approve("a", "x")
        assert await w.names("a") == ["x"]


async def test_pins_outlive_a_restart_that_empties_the_state() -> None:
    first = FakeGateway("mcp")
    async with world(Scripted("a", tool("x")), gateway=first) as w:
        await w.names("a")
    second = FakeGateway("mcp")
    second._directory = first._directory
    async with world(Scripted("a", tool("x", "other")), gateway=second) as w:
        assert await w.names("a") == []
    second._directory = None
    await second.aclose()
    await first.aclose()


async def test_another_process_hears_of_an_approval() -> None:
    async with world(Scripted("a", tool("x")), pins={"first_sight": "approve_all"}) as w:
        assert await w.names("a") == []
        same = {"pins": {"first_sight": "approve_all"}}
        async with world(Scripted("a", tool("x")), gateway=w.gateway, **same) as other:
            assert await other.names("a") == []
            await w.hub.pins.approve("a", "x")
            await other.hub.pins.kept.refresh()
            assert await other.names("a") == ["x"]


async def test_two_processes_that_see_a_server_first_agree() -> None:
    import asyncio

    tools = [tool(f"t{number}") for number in range(40)]
    async with world(Scripted("a", *tools)) as w, world(Scripted("a", *tools), gateway=w.gateway) as other:
        one, two = await asyncio.gather(w.names("a"), other.names("a"))
        assert one == two == [each["name"] for each in tools]


async def test_pinned_tools_of_the_yaml_are_the_only_ones_and_as_they_are_written() -> None:
    schema = {"type": "object"}
    pinned = {"x": {"description": "does it", "input_schema": schema}, "y": {"description": "was this"}}
    servers = {"a": {"pinned_tools": pinned}}
    async with world(Scripted("a", tool("x"), tool("y"), tool("z")), servers=servers) as w:
        assert await w.names("a") == ["x"]
        with pytest.raises(McpError, match="quarantine"):
            await w.text("a", "y")
        with pytest.raises(McpError, match="Unknown tool"):
            await w.ask("a", "tools/call", name="z")


async def test_what_guards_reject_is_hidden_and_what_they_change_is_shown_changed() -> None:
    from routeiq_sdk.testing.fakes import FakeTools

    class Guarded(FakeTools):
        looked = 0

        async def guard_definition(self, ctx, definition):
            self.looked += 1
            if definition.tool == "bad":
                raise RequestError(400, "it gives orders")
            return {**definition.definition, "description": "clean"}

    gateway = FakeGateway("mcp")
    gateway.tools = Guarded()
    async with world(Scripted("a", tool("bad"), tool("x", "dirty")), gateway=gateway) as w:
        listed = await w.ask("a", "tools/list")
        assert listed["tools"] == [tool("x", "clean")]
        with pytest.raises(McpError, match="Unknown tool"):
            await w.ask("a", "tools/call", name="bad")
        assert "it gives orders" in w.hub.registry.servers["a"].left_out["bad"]
        changed(w)
        await w.names("a")
        assert gateway.tools.looked == 2  # each definition is looked at once
    await gateway.aclose()


BAD = {
    "no schema": {"name": "bad"},
    "a text for a schema": {"name": "bad", "inputSchema": "object"},
    "an unknown type": {"name": "bad", "inputSchema": {"type": "objekt"}},
    "no object at the root": {"name": "bad", "inputSchema": {"type": "string"}},
    "properties that are a list": {"name": "bad", "inputSchema": {"type": "object", "properties": []}},
    "a property that is a text": {"name": "bad", "inputSchema": {"type": "object", "properties": {"p": "string"}}},
    "required that is a text": {"name": "bad", "inputSchema": {"type": "object", "required": "p"}},
    "a lie further down": {"name": "bad", "inputSchema": {"type": "object", "properties": {"p": {"anyOf": [1]}}}},
    "an output that is no schema": {"name": "bad", "inputSchema": {"type": "object"}, "outputSchema": []},
    "a description that is no text": {"name": "bad", "inputSchema": {"type": "object"}, "description": ["x"]},
}


@pytest.mark.parametrize("definition", BAD.values(), ids=BAD.keys())
async def test_a_tool_that_lies_about_itself_is_left_out_with_the_reason(definition) -> None:
    from routeiq_mcp.hub.health import health_of

    async with world(Scripted("a", definition, tool("x"))) as w:
        assert await w.names("a") == ["x"]
        assert w.hub.registry.servers["a"].left_out["bad"]
        assert "a" in health_of(w.hub).reason


async def test_a_name_that_is_listed_twice_keeps_its_first_meaning() -> None:
    async with world(Scripted("a", tool("x", "first"), tool("x", "second"))) as w:
        assert [each["description"] for each in (await w.ask("a", "tools/list"))["tools"]] == ["first"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["name", "inputSchema", "outputSchema", "description", "title"]), JSON))
def test_no_definition_breaks_the_look_at_it(definition) -> None:
    assert fault_of(definition) is None or isinstance(fault_of(definition), str)


def test_a_schema_without_end_is_refused_and_not_followed() -> None:
    schema: dict = {"type": "object"}
    for _ in range(5000):
        schema = {"type": "object", "properties": {"p": schema}}
    assert "nested" in str(fault_of({"name": "x", "inputSchema": schema}))


def test_the_order_of_keys_is_no_difference() -> None:
    one = {"name": "x", "description": "d", "inputSchema": {"type": "object", "required": ["a"]}}
    two = {"inputSchema": {"required": ["a"], "type": "object"}, "description": "d", "name": "x"}
    assert hash_of(one) == hash_of(two)
    assert hash_of(one) != hash_of({**one, "description": "e"})
