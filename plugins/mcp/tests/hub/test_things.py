"""Resources, templates, prompts and completions of many servers: whose they are, and who may have them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_mcp.hub.uris import matches
from routeiq_mcp.seams import McpError
from routeiq_sdk import Principal, RequestError

from .world import Scripted, call, text_result, tool, world


def two() -> tuple[Scripted, Scripted]:
    a = Scripted(
        "a",
        tool("x"),
        resources=[{"uri": "file:///readme", "name": "r"}, {"uri": "a://1", "name": "1"}],
        resourceTemplates=[{"uriTemplate": "a://item/{id}", "name": "item"}],
        prompts=[{"name": "greet"}],
    )
    b = Scripted(
        "b",
        tool("x"),
        resources=[{"uri": "file:///readme", "name": "r"}],
        resourceTemplates=[{"uriTemplate": "b://{+path}", "name": "any"}],
        prompts=[{"name": "greet"}],
    )
    for server in (a, b):
        server.answer = lambda ctx, method, params, server=server: {
            "resultType": "complete",
            "contents": [{"uri": params.get("uri"), "text": server.name}],
            "content": [{"type": "text", "text": server.name}],
        }
    return a, b


async def read(w, uri: str, face: str | None = None) -> dict:
    (content,) = (await w.ask(face, "resources/read", uri=uri))["contents"]
    return content


async def test_uris_stay_as_they_are_and_lead_to_their_server() -> None:
    async with world(*two()) as w:
        uris = [each["uri"] for each in (await w.ask(None, "resources/list"))["resources"]]
        assert uris == ["file:///readme", "a://1", "routeiq-mcp://b/file:///readme"]
        assert await read(w, "a://1") == {"uri": "a://1", "text": "a"}
        assert await read(w, "file:///readme") == {"uri": "file:///readme", "text": "a"}
        second = "routeiq-mcp://b/file:///readme"
        assert await read(w, second) == {"uri": second, "text": "b"}
        assert w["b"].asked[-1] == ("resources/read", {"uri": "file:///readme"})


async def test_a_uri_of_a_template_leads_to_its_server() -> None:
    async with world(*two()) as w:
        listed = (await w.ask(None, "resources/templates/list"))["resourceTemplates"]
        assert [each["uriTemplate"] for each in listed] == ["a://item/{id}", "b://{+path}"]
        assert (await read(w, "a://item/7"))["text"] == "a"
        assert (await read(w, "b://any/where"))["text"] == "b"
        with pytest.raises(McpError, match="Resource not found"):
            await read(w, "c://nowhere")


async def test_a_uri_that_a_tool_told_a_caller_leads_to_its_server_for_that_caller() -> None:
    async with world(*two()) as w:
        link = {"type": "resource_link", "uri": "hidden://1", "name": "h"}
        w["b"].answer = lambda ctx, method, params: text_result("b", content=[link], contents=[{"uri": "hidden://1"}])
        ann, bob = Principal("ann"), Principal("bob")
        await w.ask(None, "tools/call", call(ann), name="b-x")
        assert (await w.ask(None, "resources/read", call(ann), uri="hidden://1"))["contents"]
        with pytest.raises(McpError, match="Resource not found"):
            await w.ask(None, "resources/read", call(bob), uri="hidden://1")


async def test_of_one_server_alone_every_uri_is_its_own() -> None:
    async with world(*two()) as w:
        assert (await read(w, "anything://at/all", "b"))["text"] == "b"


async def test_prompts_have_the_servers_name_in_front() -> None:
    async with world(*two()) as w:
        assert [p["name"] for p in (await w.ask(None, "prompts/list"))["prompts"]] == ["a-greet", "b-greet"]
        await w.ask(None, "prompts/get", name="b-greet", arguments={"who": "ann"})
        assert w["b"].asked[-1] == ("prompts/get", {"name": "greet", "arguments": {"who": "ann"}})
        with pytest.raises(McpError, match="Unknown prompt"):
            await w.ask(None, "prompts/get", name="greet")


async def test_completions_go_where_the_prompt_or_the_template_is() -> None:
    async with world(*two()) as w:
        argument = {"name": "who", "value": "a"}
        await w.ask(None, "completion/complete", ref={"type": "ref/prompt", "name": "b-greet"}, argument=argument)
        assert w["b"].asked[-1][1]["ref"] == {"type": "ref/prompt", "name": "greet"}
        await w.ask(None, "completion/complete", ref={"type": "ref/resource", "uri": "b://{+path}"}, argument=argument)
        assert w["b"].asked[-1][1]["ref"]["uri"] == "b://{+path}"
        for ref in (None, {}, {"type": "ref/prompt"}, {"type": "ref/prompt", "name": "nobody"}):
            with pytest.raises(McpError):
                await w.ask(None, "completion/complete", ref=ref, argument=argument)


async def test_readings_walk_the_road_of_a_tool_call() -> None:
    async with world(*two()) as w:
        await read(w, "a://1")
        (walked,) = w.gateway.tools.calls
        assert (walked.server, walked.tool, walked.arguments) == ("a", "resources/read", {"uri": "a://1"})


async def test_resources_that_a_caller_may_not_read_are_hidden_and_refused() -> None:
    async with world(*two()) as w:
        w.gateway.tools.hidden = {("a", "resources/read"), ("a", "prompts/get")}
        assert [each["uri"] for each in (await w.ask(None, "resources/list"))["resources"]] == ["file:///readme"]
        assert [each["name"] for each in (await w.ask(None, "prompts/list"))["prompts"]] == ["b-greet"]
        assert (await read(w, "file:///readme"))["text"] == "b"
        with pytest.raises(McpError, match="Resource not found"):
            await read(w, "a://1")
        with pytest.raises(RequestError):
            await read(w, "a://1", "a")
        assert w["a"].count("resources/read") == 0


LITERAL = st.text("abc/:.", max_size=4)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(LITERAL, st.text("abc/", max_size=4)), max_size=4), LITERAL)
def test_whatever_a_template_becomes_matches_it(parts, last) -> None:
    template = "".join(f"{literal}{{v}}" for literal, _ in parts) + last
    assert matches(template, "".join(f"{literal}{value}" for literal, value in parts) + last)


def test_no_template_is_a_weapon() -> None:
    """A matcher that tries all ways would never end."""
    template, uri = "x://" + "{a}b" * 2000, "x://" + "b" * 8000 + "c"
    assert not matches(template, uri)
