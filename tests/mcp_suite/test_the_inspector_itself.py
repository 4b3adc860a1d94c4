"""Promise: the inspector of the interoperability tests reads the everything-server in each era, and says when not."""

from __future__ import annotations

import pytest

from .everything import everything
from .everything_tools import TOOLS
from .inspector import Era, inspect
from .recording import recording_upstream

pytestmark = pytest.mark.timeout(420)  # the first test that needs npm's packages waits for them


@pytest.mark.parametrize("era", ["legacy", "auto", "modern"])
async def test_it_lists_and_calls_in_each_era(era: Era) -> None:
    async with recording_upstream() as upstream:
        listed = await inspect(upstream.url, "tools/list", era=era, headers={"X-Canary": "sent along"})
        called = await inspect(upstream.url, "tools/call", era=era, tool="echo", arguments={"text": "hello"})
    assert [tool["name"] for tool in listed.result["tools"]] == ["echo", "whoami"]
    assert called.result["content"] == [{"type": "text", "text": '{"text": "hello"}'}]
    assert upstream.seen("sent along")
    modern = [request for request in upstream.calls() if request.header("mcp-method") == "tools/call"]
    assert bool(modern) == (era != "legacy")


async def test_it_reads_resources_and_prompts() -> None:
    async with everything() as url:
        tools = await inspect(url, "tools/list")
        resource = await inspect(url, "resources/read", uri="test://static-text")
        given = {"arg1": "hello", "arg2": "world"}
        prompt = await inspect(url, "prompts/get", prompt="test_prompt_with_arguments", prompt_arguments=given)
    assert [tool["name"] for tool in tools.result["tools"]] == list(TOOLS)
    assert resource.result["contents"][0]["text"] == "This is the content of the static text resource."
    assert "arg1='hello'" in prompt.result["messages"][0]["content"]["text"]


async def test_an_era_that_the_server_lacks_is_a_failure() -> None:
    async with everything("legacy") as legacy, everything("modern") as modern:
        assert (await inspect(legacy, "tools/list", era="modern")).code != 0
        assert (await inspect(modern, "tools/list", era="legacy")).code != 0
        assert (await inspect(legacy, "tools/list", era="auto")).code == 0
