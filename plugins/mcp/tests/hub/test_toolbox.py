"""Chat requests that name the gateway's servers: what is taken from them, and what a model may call."""

from __future__ import annotations

from typing import Any

import pytest

from routeiq_mcp.seams import McpError
from routeiq_mcp.toolbox.opening import open_toolbox
from routeiq_sdk import RequestError
from routeiq_sdk.testing import make_context, make_request

from .world import Scripted, text_result, tool, world


async def opened(w, wire: str = "openai-chat", **fields: Any):
    ctx = make_context(request=make_request(wire=wire, **fields))
    return ctx, await open_toolbox(w.hub, ctx)


def mcp(url: str = "litellm_proxy", **fields: Any) -> dict[str, Any]:
    return {"type": "mcp", "server_label": "ours", "server_url": url, "require_approval": "never", **fields}


def names(toolbox) -> list[str]:
    return [each["function"]["name"] for each in toolbox.functions]


async def test_tools_of_the_gateway_become_functions_and_leave_the_body() -> None:
    own = {"type": "function", "function": {"name": "mine", "parameters": {}}}
    async with world(Scripted("git", tool("log", "shows it")), Scripted("wiki", tool("read"))) as w:
        ctx, toolbox = await opened(w, tools=[own, mcp()])
        assert toolbox.body["tools"] == [own]
        assert toolbox.functions[0] == {
            "type": "function",
            "function": {"name": "git-log", "description": "shows it", "parameters": {"type": "object"}},
        }
        assert names(toolbox) == ["git-log", "wiki-read"]
        assert toolbox.owns("git-log")
        assert not toolbox.owns("mine")
        assert await toolbox.call(ctx, "wiki-read", {"page": 1}) == "wiki/read"
        assert w["wiki"].asked[-1] == ("tools/call", {"name": "read", "arguments": {"page": 1}})


@pytest.mark.parametrize("url", ["litellm_proxy/mcp/git", "litellm_proxy/git/mcp"])
async def test_one_server_is_named_in_the_url(url: str) -> None:
    async with world(Scripted("git", tool("log"), tool("push")), Scripted("wiki", tool("read"))) as w:
        _, toolbox = await opened(w, tools=[mcp(url)])
        assert names(toolbox) == ["log", "push"]
        assert "tools" not in toolbox.body
        for allowed in (["push"], ["git-push"], {"tool_names": ["push"]}):
            _, toolbox = await opened(w, tools=[mcp(url, allowed_tools=allowed)])
            assert names(toolbox) == ["push"]


async def test_servers_elsewhere_are_the_providers_matter() -> None:
    async with world(Scripted("git", tool("log"))) as w:
        for url in ("https://mcp.example.com/mcp", "http://litellm_proxy/mcp", "https://x.example/litellm_proxy"):
            assert (await opened(w, tools=[mcp(url, require_approval="always")]))[1] is None
        elsewhere = mcp("https://mcp.example.com/mcp")
        _, toolbox = await opened(w, tools=[elsewhere, mcp()])
        assert toolbox.body["tools"] == [elsewhere]


@pytest.mark.parametrize("approval", ["always", {"never": {"tool_names": ["log"]}}, None])
async def test_what_somebody_would_have_to_approve_is_refused(approval) -> None:
    asked = mcp(require_approval=approval)
    if approval is None:
        del asked["require_approval"]
    async with world(Scripted("git", tool("log"))) as w:
        with pytest.raises(RequestError, match="require_approval") as refused:
            await opened(w, tools=[asked])
        assert (refused.value.status, refused.value.param) == (400, "tools[0].require_approval")


async def test_a_server_that_is_not_there_is_an_error_of_the_request() -> None:
    async with world(Scripted("git", tool("log"))) as w:
        for url in ("litellm_proxy/mcp/nobody", "litellm_proxy/a/b/c"):
            with pytest.raises(RequestError) as refused:
                await opened(w, tools=[mcp(url)])
            assert refused.value.status == 400


async def test_names_are_made_fit_for_providers_and_never_the_clients_own() -> None:
    long = "t" * 80
    own = [{"type": "function", "function": {"name": "log", "parameters": {}}}]
    async with world(Scripted("git", tool("log"), tool("a.b/c"), tool(long))) as w:
        ctx, toolbox = await opened(w, tools=[*own, mcp("litellm_proxy/mcp/git")])
        found = names(toolbox)
        assert len(set(found)) == 3
        assert "log" not in found
        assert found[1] == "a_b_c"
        assert all(len(name) <= 64 for name in found)
        assert await toolbox.call(ctx, found[2], {}) == f"git/{long}"
        assert await toolbox.call(ctx, found[0], {}) == "git/log"


async def test_anthropics_form_names_servers_and_switches_tools() -> None:
    elsewhere = {"type": "url", "url": "https://mcp.example.com/mcp", "name": "far"}
    here = {"type": "url", "url": "litellm_proxy/mcp/git", "name": "near"}
    sets = [{"type": "mcp_toolset", "mcp_server_name": "far"}, {"type": "mcp_toolset", "mcp_server_name": "near"}]
    async with world(Scripted("git", tool("log"), tool("push"))) as w:
        _, toolbox = await opened(w, "anthropic-messages", mcp_servers=[elsewhere, here], tools=sets)
        assert names(toolbox) == ["log", "push"]
        assert toolbox.body["mcp_servers"] == [elsewhere]
        assert toolbox.body["tools"] == sets[:1]
        one = {**sets[1], "default_config": {"enabled": False}, "configs": {"push": {"enabled": True}}}
        _, toolbox = await opened(w, "anthropic-messages", mcp_servers=[here], tools=[one])
        assert names(toolbox) == ["push"]
        assert "mcp_servers" not in toolbox.body
        old = {**here, "tool_configuration": {"allowed_tools": ["log"]}}
        _, toolbox = await opened(w, "anthropic-messages", mcp_servers=[old])
        assert names(toolbox) == ["log"]
        assert (await opened(w, "anthropic-messages", mcp_servers=[elsewhere]))[1] is None


async def test_a_model_reads_of_failures_and_refusals() -> None:
    row = {"allowed_params": {"log": ["n"]}}
    async with world(Scripted("git", tool("log"), tool("push")), servers={"git": row}) as w:
        ctx, toolbox = await opened(w, tools=[mcp("litellm_proxy/mcp/git")])
        assert "not allowed" in await toolbox.call(ctx, "log", {"other": 1})
        w["git"].answer = lambda ctx, method, params: text_result("no such branch", isError=True)
        assert await toolbox.call(ctx, "log", {}) == "The tool failed: no such branch"
        w["git"].error = McpError(-32603, "server git is away")
        assert await toolbox.call(ctx, "log", {}) == "The call failed: server git is away"
        w["git"].error = None
        w.gateway.tools.hidden = {("git", "push")}
        assert "refused" in await toolbox.call(ctx, "push", {})


async def test_a_model_sees_only_what_the_caller_may_use() -> None:
    async with world(Scripted("git", tool("log"), tool("push"))) as w:
        w.gateway.tools.hidden = {("git", "push")}
        _, toolbox = await opened(w, tools=[mcp()])
        assert names(toolbox) == ["git-log"]


async def test_a_result_that_is_no_text_is_told_of() -> None:
    blocks = [
        {"type": "text", "text": "a"},
        {"type": "image", "data": "xxx", "mimeType": "image/png"},
        {"type": "resource_link", "uri": "x://1", "name": "n"},
        {"type": "resource", "resource": {"uri": "x://2", "text": "b"}},
    ]
    async with world(Scripted("git", tool("log"))) as w:
        ctx, toolbox = await opened(w, tools=[mcp()])
        w["git"].answer = lambda ctx, method, params: text_result("", content=blocks)
        assert await toolbox.call(ctx, "git-log", {}) == "a\n[image]\n[resource x://1]\nb"
        w["git"].answer = lambda ctx, method, params: {"content": [], "structuredContent": {"n": 1}}
        assert await toolbox.call(ctx, "git-log", {}) == '{"n":1}'
