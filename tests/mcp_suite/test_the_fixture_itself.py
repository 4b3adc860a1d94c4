"""Promise: what the gateway's conformance is claimed against conforms itself, with every check really run."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.sse import sse_client
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequestFormParams,
    ElicitRequestParams,
    ElicitResult,
    ListRootsResult,
    Root,
    TextContent,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import FileUrl

from . import node
from .conformance import (
    LEGACY,
    MODERN,
    Check,
    Report,
    Scenario,
    requirement_set,
    run_client_scenarios,
    run_server_scenarios,
    run_server_set,
)
from .eras import Eras
from .everything import command, everything, everything_process
from .everything_offers import PROMPTS, RESOURCES
from .everything_tools import TOOLS

_SCORED = {LEGACY: 30, MODERN: 37}
_CONTENT_WITH_ANY_REFUSAL = {
    "input-required-result-ignore-extra-params",
    "input-required-result-missing-input-response",
    "input-required-result-unsupported-methods",
    "input-required-result-validate-input",
    "sep-2164-resource-not-found",
}
_INSTALLING = pytest.mark.timeout(420)  # the first test that needs npm's packages waits for them


@_INSTALLING
async def test_the_everything_server_holds_both_server_sets() -> None:
    """With both eras, and with each alone: the era bridge is claimed from there."""
    async with (
        everything_process("both") as both,
        everything_process("legacy") as legacy,
        everything_process("modern") as modern,
    ):
        runs = ((both, LEGACY), (both, MODERN), (legacy, LEGACY), (modern, MODERN))
        reports = await asyncio.gather(*(run_server_set(*run) for run in runs))
    for report in reports:
        print(report.table())
        assert len(report.scored) == _SCORED[report.revision]
        assert report.missed == (), report.table()
        # A server that refuses everything passes five scenarios with warnings: so none is allowed.
        assert [row.name for row in report.scored if row.skipped or row.warned] == [], report.table()


@_INSTALLING
async def test_a_server_that_lacks_an_era_fails_its_set() -> None:
    """The runner says so where a server does not conform: of the other era only what wants a refusal passes."""
    async with everything("modern") as modern, everything("legacy") as legacy:
        reports = await asyncio.gather(
            run_server_set(modern, LEGACY, scenario_seconds=10), run_server_set(legacy, MODERN, scenario_seconds=10)
        )
    for report in reports:
        assert {scenario.name for scenario in report.passed} <= _CONTENT_WITH_ANY_REFUSAL
        assert all(scenario.failed for scenario in report.missed)


@_INSTALLING
async def test_a_client_passes_what_it_does_and_nothing_else() -> None:
    client = [sys.executable, str(Path(__file__).with_name("plain_client.py"))]
    names = {LEGACY: ("tools_call", "auth/basic-cimd"), MODERN: ("request-metadata",)}
    for revision, wanted in names.items():
        assert set(wanted) <= set(requirement_set("client", revision)[0])
        report = await run_client_scenarios(client, wanted, revision)
        assert [row.name for row in report.scenarios if not row.passed] == [
            name for name in wanted if name.startswith("auth/")
        ], report.table()
    idle = await run_client_scenarios([sys.executable, "-c", "pass"], names[MODERN], MODERN)
    assert [row.passed for row in idle.scenarios] == [False], idle.table()


@_INSTALLING
async def test_an_extension_that_the_server_does_not_declare_is_not_covered() -> None:
    async with everything() as url:
        report = await run_server_scenarios(url, ["sep-2640-skills-enumeration"], MODERN)
    assert not report.scenarios[0].covered
    assert not report.scenarios[0].passed


@pytest.mark.parametrize("eras", ["legacy", "modern"])
async def test_every_question_can_be_asked_in_either_era(eras: Eras) -> None:
    async def form(context: Any, params: ElicitRequestParams) -> ElicitResult:
        assert isinstance(params, ElicitRequestFormParams)
        return ElicitResult(action="accept", content=dict.fromkeys(params.requested_schema["properties"], "Ann"))

    async def model(context: Any, params: CreateMessageRequestParams) -> CreateMessageResult:
        return CreateMessageResult(role="assistant", content=TextContent(text="Good day"), model="a model")

    async def roots(context: Any) -> ListRootsResult:
        return ListRootsResult(roots=[Root(uri=FileUrl("file:///a/root"))])

    asked = {
        "test_elicitation": 'action=accept, content={"username": "Ann", "email": "Ann"}',
        "test_sampling": "LLM response: Good day",
        "test_input_required_result_list_roots": "Roots: file:///a/root",
        "test_input_required_result_request_state": "state-ok",
        "test_input_required_result_multiple_inputs": "Good day, Ann",
        "test_input_required_result_multi_round": "Ann likes Ann",
    }
    given = {"test_elicitation": {"message": "Who?"}, "test_sampling": {"prompt": "Greet"}}
    async with (
        everything(eras) as url,
        Client(url, elicitation_callback=form, sampling_callback=model, list_roots_callback=roots) as client,
    ):
        for tool, text in asked.items():
            result = await client.call_tool(tool, given.get(tool, {}))
            assert isinstance(result.content[0], TextContent)
            assert text in result.content[0].text, tool
    async with everything(eras) as url, Client(url) as incapable:
        if eras == "legacy":
            assert (await incapable.call_tool("test_sampling", given["test_sampling"])).is_error
        else:
            with pytest.raises(MCPError) as refused:
                await incapable.call_tool("test_sampling", given["test_sampling"])
            assert refused.value.code == -32021


@pytest.mark.parametrize("eras", ["legacy", "modern", "both"])
async def test_a_client_that_speaks_both_eras_finds_everything(eras: Eras) -> None:
    async with everything(eras) as url, Client(url) as client:
        assert (client.protocol_version in MODERN_PROTOCOL_VERSIONS) == (eras != "legacy")
        await _finds_everything(client)


async def test_the_old_transport_and_stdio_serve_the_same() -> None:
    async with everything("legacy", "sse") as url, Client(sse_client(url)) as client:
        await _finds_everything(client)
    alone: tuple[Eras, ...] = ("legacy", "modern")
    for eras in alone:
        program, *arguments = command(eras, "stdio")
        async with Client(stdio_client(StdioServerParameters(command=program, args=arguments))) as client:
            assert (client.protocol_version in MODERN_PROTOCOL_VERSIONS) == (eras == "modern")
            await _finds_everything(client)


async def test_each_era_alone_refuses_the_other_as_its_revision_says() -> None:
    handshake = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
    }
    discover = {"jsonrpc": "2.0", "id": 2, "method": "server/discover", "params": {"_meta": {}}}
    accept = {"Accept": "application/json, text/event-stream"}
    async with everything("modern") as modern, everything("legacy") as legacy, httpx.AsyncClient() as client:
        refused = await client.post(modern, json=handshake, headers=accept)
        unknown = await client.post(
            legacy, json=discover, headers={**accept, "MCP-Protocol-Version": MODERN, "Mcp-Method": "server/discover"}
        )
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == -32022
    assert refused.json()["error"]["data"] == {"supported": [MODERN], "requested": LEGACY}
    assert unknown.status_code == 400
    assert unknown.json()["error"]["code"] == -32600
    assert MODERN not in unknown.json()["error"]["message"].partition("Supported versions")[2]


def test_a_scenario_that_skipped_its_checks_is_not_covered() -> None:
    wire = Check("wire-schema-valid", "SUCCESS", "")
    skipped = Scenario("tasks", True, (wire, Check("own", "SKIPPED", "not declared")))
    ran = Scenario("ping", True, (wire, Check("own", "SUCCESS", "")))
    report = Report("server", MODERN, (skipped, ran))
    assert not skipped.covered
    assert report.count == "1/2"
    assert report.missed == (skipped,)
    assert "not covered" in report.table()


def test_without_a_registry_the_packages_are_one_clear_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "_HOME", tmp_path)
    monkeypatch.setattr(node, "_broken", [])
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    for _ in range(2):  # the second time without asking npm again
        with pytest.raises(node.NodeMissing, match="is an npm registry reachable"):
            node.packages()
        monkeypatch.setattr(node, "NODE", Path("/nowhere"))


async def _finds_everything(client: Client) -> None:
    assert [tool.name for tool in (await client.list_tools()).tools] == list(TOOLS)
    assert [prompt.name for prompt in (await client.list_prompts()).prompts] == list(PROMPTS)
    assert [resource.uri for resource in (await client.list_resources()).resources] == [row.uri for row in RESOURCES]
    result = await client.call_tool("test_simple_text")
    assert [block.type for block in result.content] == ["text"]
