"""V2: no request starts a program, whoever sends it and whatever it names; no model has a field for a command."""

from __future__ import annotations

import ast
import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import openai_row
from routeiq_testkit.installed import PluginFolder

from .conftest import PLUGINS, SERVERS
from .served_gateway import Served, serving
from .sources import product_sources
from .watched import EXECUTIONS, Watch

_PARAMETER = re.compile(r"\{\w+(:\w+)?\}")
WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
CONTROL = """
import subprocess
from routeiq_sdk import Plugin, hookimpl
from routeiq_sdk.values.http import HttpResponse

class Fixture(Plugin):
    @hookimpl
    def register_routes(self, routes):
        routes.add("POST", "/control", self.run, access="admin", summary="Starts a program", action="control:run")

    async def run(self, request):
        subprocess.run(["true"])
        return HttpResponse.json({})
"""


def commands(canary: Path) -> dict[str, Any]:
    """Every name that a program, its arguments and its environment go by."""
    touch = f"touch {canary}"
    shell = {"command": "/bin/sh", "args": ["-c", touch], "env": {"PATH": "/bin:/usr/bin", "LD_PRELOAD": str(canary)}}
    return {
        **shell,
        "transport": "stdio",
        "type": "stdio",
        "stdio": shell,
        "cmd": touch,
        "executable": "/bin/sh",
        "shell": True,
        "argv": ["/bin/sh", "-c", touch],
        "entrypoint": touch,
        "script": touch,
        "url": f"file://{canary}",
        "server_url": "stdio:///bin/sh",
        "spec_path": f"| {touch}",
        "hook": f"os:system({touch!r})",
        "custom_handler": "os.system",
        "callbacks": ["os.system", "subprocess.run"],
    }


def bodies(canary: Path) -> Iterator[Any]:
    """Bodies for any route: the fields alone, and in each place where a protocol keeps fields of its own."""
    hostile = commands(canary)
    chat = {"model": "fast", "messages": [{"role": "user", "content": "hello"}], "input": "hello", "prompt": "hello"}
    yield hostile
    yield {
        **chat,
        **hostile,
        "model_name": "made",
        "litellm_params": {"model": "openai/x", "api_key": "sk-x", **hostile},
        "guardrails": [{"guardrail_name": "g", "litellm_params": {"guardrail": "os.system", **hostile}}],
        "tools": [{"type": "mcp", "server_label": "s", "server_url": "stdio:///bin/sh", **hostile}],
        "mcp_servers": {"s": hostile},
        "metadata": hostile,
        "object_permission": {"mcp_servers": ["s"], **hostile},
    }
    yield {
        "server_name": "s",
        "alias": "s",
        "credentials": hostile,
        "mcp_info": hostile,
        "config": {"mcpServers": {"s": hostile}},
    }
    yield {"server_name": "s", **{name: hostile[name] for name in ("command", "args", "env", "transport")}}
    yield {
        "server_name": "s",
        "url": f"file://{canary}",
        "spec_path": str(canary),
        "credentials": {"command": "/bin/sh"},
    }
    yield [hostile]


async def routes_of(session: aiohttp.ClientSession) -> list[tuple[str, str]]:
    async with session.get("/openapi.json") as answer:
        paths = (await answer.json())["paths"]
    return [(method.upper(), path) for path, methods in sorted(paths.items()) for method in methods]


async def fuzz(served: Served, canary: Path, keys: list[str]) -> Counter[int]:
    """Every route with every body and each of the keys; how often each status came."""
    statuses: Counter[int] = Counter()
    limit = asyncio.Semaphore(8)
    query = {"command": "/bin/sh", "args": f"-c touch {canary}", "url": f"file://{canary}", "transport": "stdio"}

    async def one(method: str, path: str, key: str, body: Any) -> None:
        async with limit:
            sent = {"json": body} if method in WITH_BODY else {}
            headers = {"authorization": f"Bearer {key}"}
            place = _PARAMETER.sub("x", path)
            async with session.request(
                method, place, params=query, headers=headers, allow_redirects=False, **sent
            ) as answer:
                await answer.read()
                statuses[answer.status] += 1

    timeout = aiohttp.ClientTimeout(60)
    async with aiohttp.ClientSession(served.url, timeout=timeout, max_field_size=1 << 16) as session:
        routes = [route for route in await routes_of(session) if route[1] != "/control"]
        assert len(routes) > 150
        await asyncio.gather(
            *(
                one(method, path, key, body)
                for method, path in routes
                for key in keys
                for body in (bodies(canary) if method in WITH_BODY else (None,))
            )
        )
    return statuses


async def ordinary_key(served: Served) -> str:
    async with aiohttp.ClientSession(served.url) as session:
        headers = {"authorization": f"Bearer {served.key}"}
        async with session.post("/key/generate", json={"models": ["fast"]}, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return str((await answer.json())["key"])


@pytest.mark.timeout(400)
async def test_no_request_starts_a_program(tmp_path: Path, scripted_upstream: ScriptedUpstream) -> None:
    watch, canary = Watch(tmp_path / "watch", EXECUTIONS), tmp_path / "canary"
    plugins = {**PLUGINS, "audit": {"sinks": [{"kind": "file", "path": str(tmp_path / "audit")}]}, "control": {}}
    config = {
        "model_list": [openai_row("fast", scripted_upstream.base_url)],
        "router_settings": {"num_retries": 0},
        "mcp_servers": SERVERS,
        "routeiq": {"profile": "standard", "plugins": plugins},
    }
    with PluginFolder(watch.folder) as folder:
        folder.install("control", CONTROL)
        async with serving(tmp_path, config, env=watch.environment) as served:
            assert watch.armed
            keys = [served.key, await ordinary_key(served)]
            watch.forget()
            statuses = await fuzz(served, canary, keys)
            assert watch.events() == []
            assert not canary.exists()
            assert statuses.total() > 800
            assert statuses[500] == 0, statuses
            async with (
                aiohttp.ClientSession(served.url, headers={"authorization": f"Bearer {served.key}"}) as session,
                session.post("/control") as answer,
            ):
                assert answer.status == 200, "the gateway did not survive"
            assert [line.split()[0] for line in watch.events()][:1] == ["subprocess.Popen"], "the watch was blind"


COMMANDS = frozenset({"command", "cmd", "args", "argv", "env", "executable", "shell", "entrypoint", "stdio", "program"})

REVIEWED = {
    "plugins/mcp/src/routeiq_mcp/upstream/signed.py: SignedProgram": (
        "the program of a stdio MCP server: made of mcp_servers of the YAML alone, and started only when a key in the "
        "gateway's folder of keys has signed it"
    ),
    "plugins/mcp/src/routeiq_mcp/upstream/config.py: ServerSpec": (
        "holds such a program, and is refused one when the operator did not write the row"
    ),
    "plugins/mcp/src/routeiq_mcp/rows.py: ServerRow": (
        "a row of mcp_servers as the YAML has it, of which such a program is made; what the API takes has no such "
        "field, and a row that came by it is never trusted"
    ),
}
"""Models that may name a command, and why."""


def fields_that_name_commands(source: str) -> Iterator[str]:
    """Fields of classes, so of models too, and their aliases, that go by such a name."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ClassDef):
            continue
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                names = {statement.target.id.strip("_")}
                names |= {
                    keyword.value.value
                    for call in ast.walk(statement)
                    if isinstance(call, ast.Call)
                    for keyword in call.keywords
                    if keyword.arg in ("alias", "validation_alias", "name") and isinstance(keyword.value, ast.Constant)
                }
                if names & COMMANDS:
                    yield f"{node.name}.{statement.target.id}"


def test_no_model_has_a_field_for_a_command() -> None:
    found = {f"{path}: {field}" for path, text in product_sources() for field in fields_that_name_commands(text)}
    models = {field.rpartition(".")[0] for field in found}
    assert models - REVIEWED.keys() == set()
    assert models == set(REVIEWED), "a reviewed exception that is not needed any more"


@pytest.mark.parametrize(
    "source",
    [
        "class A:\n    command: str",
        "class A:\n    env: dict = {}",
        "class A:\n    what: str = Field(alias='args')",
    ],
)
def test_such_a_field_would_be_noticed(source: str) -> None:
    assert list(fields_that_name_commands(source))


async def test_the_public_description_of_the_api_has_none_either(fortress) -> None:
    running = await fortress()
    async with running.session.get("/openapi.json") as answer:
        document = json.loads(await answer.read())

    def properties(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("properties"), dict):
                yield from node["properties"]
            if "in" in node and isinstance(node.get("name"), str):
                yield node["name"]
            for value in node.values():
                yield from properties(value)
        elif isinstance(node, list):
            for value in node:
                yield from properties(value)

    assert set(properties(document)) & COMMANDS == set()
