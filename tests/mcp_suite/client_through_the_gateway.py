"""What the official suite starts as a client: somebody who uses its server through a gateway, by the SDK's client.

The person lists what is there, calls every tool, reads, gets, answers what is asked, and agrees at the pages that are
asked for. What the suite makes of it is `conformance`'s business.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import sys
import tempfile
import traceback
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from fastmcp.skills.models import ListSkillsParams, ListSkillsRequest, ListSkillsResult
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitRequestURLParams, ElicitResult, Tool

from routeiq_sdk import Context, Plugin, PluginConfig, Principal, hookimpl
from routeiq_testkit.gateway import KEY, TestGateway
from routeiq_testkit.installed import PluginFolder

from .signing_in import CONNECTED, agree, straight
from .through_the_gateway import in_front_of

CLIENT_DOCUMENT = "https://conformance-test.local/client-metadata.json"
"""The client metadata document that the suite expects its client to name."""
NO_PREFETCH = "sep-2640-client-no-prefetch"
UNAVAILABLE = "routeiq/unavailable"
UNTRUE = "is not what its skill's manifest and frontmatter say"
_ROUNDS = 4
_AT_ONCE = 6
_SECONDS = 40.0


class Believing(Plugin[PluginConfig]):
    """Takes any JWT's word for its subject: the suite's identity provider publishes no keys."""

    @hookimpl
    async def authenticate(self, ctx: Context) -> Principal | None:
        text = ctx.credential.reveal() if ctx.credential is not None else ""
        if text.count(".") != 2:
            return None
        claims = json.loads(base64.urlsafe_b64decode(text.split(".")[1] + "=="))
        return Principal("oidc:" + claims["sub"], "user", user=claims["sub"], attributes={"issuer": claims["iss"]})


FIXTURES = {"believing": Believing}


class Person:
    """Uses one gateway with one credential."""

    def __init__(self, base: str, credential: str, *, legacy: bool) -> None:
        self._base = base
        self._credential = credential
        self._legacy = legacy

    async def use(self, calls: list[dict[str, Any]]) -> None:
        """Everything there is; of tools the `calls`, or else each once with arguments that its schema asks for."""
        async with self._client() as client:
            tools = await self._tools(client)
            for call in calls or [{"name": tool.name, "arguments": _arguments(tool, tools)} for tool in tools.values()]:
                result = await self._patiently(lambda call=call: client.call_tool(call["name"], call["arguments"]))
                assert not result.is_error, f"{call['name']}: {result.content}"
            offered = client.server_capabilities
            if offered.resources is not None:
                for resource in (await self._patiently(client.list_resources)).resources:
                    await self._patiently(lambda uri=resource.uri: client.read_resource(uri))
            if offered.prompts is not None:
                for prompt in (await self._patiently(client.list_prompts)).prompts:
                    await self._patiently(lambda name=prompt.name: client.get_prompt(name, {}))

    async def load_skills(self) -> None:
        """Every file of every skill, by a client that trusts what it is given, until one is refused: it must be the
        gateway that does not pass it on."""
        async with self._client() as client:
            for skill in await self._skills(client):
                for file in skill.resources:
                    try:
                        await client.read_resource(file.uri)
                    except MCPError as error:
                        if UNTRUE in error.error.message:
                            return
                        raise
        raise AssertionError("the gateway passed on every file")

    async def look_at_skills(self) -> None:
        """What a host does that loads no skill: it connects twice and lists, again and again."""
        for _ in range(2):
            await self.use([])
            async with self._client() as client:
                for _ in range(2):
                    assert await self._skills(client)

    async def answer(self, context: Any, params: Any) -> ElicitResult:
        """What the gateway asks for: a page is visited, a form is sent as it came."""
        if isinstance(params, ElicitRequestURLParams):
            return ElicitResult(action="accept" if await self._visit(params.url) else "decline")
        return ElicitResult(action="accept", content=_filled(params.requested_schema, every=True))

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Client]:
        headers = {"authorization": f"Bearer {self._credential}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=_SECONDS) as http,
            Client(
                streamable_http_client(f"{self._base}/suite/mcp", http_client=http),
                mode="legacy" if self._legacy else "auto",
                elicitation_callback=self.answer,
            ) as client,
        ):
            yield client

    async def _skills(self, client: Client) -> list[Any]:
        listed = await client.session.send_request(ListSkillsRequest(params=ListSkillsParams()), ListSkillsResult)
        assert listed.skills, "there are no skills"
        return listed.skills

    async def _tools(self, client: Client) -> dict[str, Tool]:
        for _ in range(_ROUNDS):
            listed = await self._patiently(client.list_tools)
            missing = (listed.meta or {}).get(UNAVAILABLE, ())
            if not missing:
                return {tool.name: tool for tool in listed.tools}
            pages = [one["url"] for one in missing if "url" in one]
            assert pages, f"the server is away: {missing}"
            for page in pages:
                assert await self._visit(page), "the person could not agree"
        raise AssertionError("the person is asked again and again")

    async def _patiently(self, ask: Any) -> Any:
        """Ask, and agree at the pages that an error names."""
        for _ in range(_ROUNDS):
            try:
                return await ask()
            except MCPError as error:
                asked = (error.error.data or {}).get("elicitations") if isinstance(error.error.data, dict) else None
                if not asked or not all([await self._visit(one["url"]) for one in asked]):
                    raise
        raise AssertionError("the person is asked again and again")

    async def _visit(self, page: str) -> bool:
        answer = await agree(page, self._credential, straight)
        if CONNECTED in answer.text:
            return True
        print(f"{page} ended with {answer.status_code}: {answer.text}", file=sys.stderr)
        return False


async def play(url: str, told: Mapping[str, str], folder: Path) -> None:
    """Be the client of the scenario of which the suite's variables tell, with a gateway in `folder`. Raises
    whatever goes wrong."""
    scenario, revision = told["MCP_CONFORMANCE_SCENARIO"], told["MCP_CONFORMANCE_PROTOCOL_VERSION"]
    context = json.loads(told.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    assertion = context.get("idp_id_token")
    oauth = {"delegation": {"client_metadata_url": CLIENT_DOCUMENT}} if scenario == "auth/basic-cimd" else {}
    config = in_front_of({"upstream": {"url": url, "transport": "http", "auth": outbound(scenario, context)}})
    config["routeiq"]["egress"] = {"allow": ["127.0.0.0/8", "::1/128"]}
    config["routeiq"]["plugins"] |= {
        "oauth": oauth,
        "mcp": {"virtual_servers": {"suite": {"servers": ["upstream"], "prefix": False}}},
    }
    with PluginFolder(folder / "site") as plugins:
        if assertion is not None:
            source = f"import sys\nFixture = sys.modules[{__name__!r}].FIXTURES['believing']\n"
            plugins.install("believing", source, kind="auth")
            config["routeiq"]["plugins"]["believing"] = {}
        async with TestGateway(folder, config) as gateway:
            # The SDK's modern client hides such tools from its user. Here the gateway shall.
            legacy = revision < "2026" or scenario == "http-invalid-tool-headers"
            async with asyncio.timeout(_SECONDS):
                person = Person(gateway.url, assertion or KEY, legacy=legacy)
                if scenario == NO_PREFETCH:
                    await person.look_at_skills()
                elif scenario.startswith("sep-2640-client-"):
                    await person.load_skills()
                else:
                    await person.use(context.get("toolCalls", []))


def outbound(scenario: str, context: Mapping[str, Any]) -> dict[str, Any]:
    """How the operator of the gateway configures the server of a scenario, with what the suite told them."""
    if not scenario.startswith("auth/"):
        return {"mode": "none"}
    client = {name: context[name] for name in ("client_id", "client_secret") if name in context}
    if "idp_issuer" in context:
        provider = {"identity_provider": context["idp_issuer"], "identity_provider_client_id": context["idp_client_id"]}
        return {"mode": "id_jag", **client, **provider}
    if scenario.startswith("auth/client-credentials-"):
        if "private_key_pem" in context:
            client |= {"client_key": context["private_key_pem"], "client_key_algorithm": context["signing_algorithm"]}
        return {"mode": "client_credentials", **client}
    return {"mode": "authorization_code", **client}


def _arguments(tool: Tool, tools: Mapping[str, Tool]) -> dict[str, Any]:
    if tool.name == "json_schema_echo":
        return {"schema": tools["json_schema_2020_12_tool"].input_schema}
    return _filled(tool.input_schema)


def _filled(schema: Mapping[str, Any], *, every: bool = False) -> dict[str, Any]:
    """Values for the required properties of a schema, or for every one; the default where there is one."""
    properties = schema.get("properties", {})
    return {name: _value(properties[name]) for name in (properties if every else schema.get("required", ()))}


def _value(schema: Mapping[str, Any]) -> Any:
    if "default" in schema:
        return schema["default"]
    if schema.get("enum"):
        return schema["enum"][0]
    simple = {"string": "text", "integer": 3, "number": 3, "boolean": True, "array": []}
    return simple.get(schema.get("type", "object"), {})


@asynccontextmanager
async def clients(folder: Path) -> AsyncIterator[list[str]]:
    """A command for the suite, whose clients run in this process, each with a gateway below `folder`."""
    numbers, gate = itertools.count(), asyncio.Semaphore(_AT_ONCE)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told = json.loads(await reader.readline())
        place = folder / str(next(numbers))
        place.mkdir()
        try:
            async with gate:
                await play(told.pop("url"), told, place)
        except Exception:
            text = traceback.format_exc()
            print(told["MCP_CONFORMANCE_SCENARIO"], text, file=sys.stderr)
            writer.write(text.encode())
        else:
            writer.write(b"done")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**20) as server:
        port = server.sockets[0].getsockname()[1]
        yield [sys.executable, "-I", "-S", str(Path(__file__).with_name("relayed_client.py")), str(port)]


async def _main(url: str) -> None:
    with tempfile.TemporaryDirectory(prefix="mcp-client-") as made:
        await play(url, os.environ, Path(made))


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[-1]))
