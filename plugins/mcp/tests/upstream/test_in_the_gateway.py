"""Servers that are no plain URL, in a whole gateway: rows of LiteLLM's `mcp_servers`, and the SDK's client in front."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from click.testing import CliRunner
from mcp import Client as SdkClient
from mcp.client.streamable_http import streamable_http_client
from starlette.applications import Starlette
from starlette.routing import Route

from routeiq.cli.main import document_of
from routeiq_mcp.commands import mcp
from routeiq_sdk import RouteIQError
from routeiq_testkit.gateway import KEY as MASTER
from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.pytest_plugin import StartGateway

from .servers import Recorder, sdk_server, serving
from .test_openapi import document, echo
from .test_stdio import KEY, PEM, SERVER


@asynccontextmanager
async def client(running: TestGateway, path: str) -> AsyncIterator[SdkClient]:
    headers = {"authorization": f"Bearer {running.key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        SdkClient(streamable_http_client(f"{running.url}{path}", http_client=http)) as connected,
    ):
        yield connected


def config(data: Path, **servers: Any) -> dict[str, Any]:
    return {
        "mcp_servers": servers,
        "routeiq": {"data_dir": str(data), "plugins": {"mcp": {}}},
    }


def trusted(data: Path) -> None:
    keys = data / "keys"
    keys.mkdir(parents=True)
    (keys / "operator.pub").write_bytes(base64.b64encode(KEY.public_key().public_bytes_raw()) + b"\n")


def signature(folder: Path, told: dict[str, Any], name: str) -> str:
    """As an operator gets it: by the command."""
    path, key = folder / "unsigned.yaml", folder / "operator.key"
    path.write_text(yaml.safe_dump({**told, "general_settings": {"master_key": MASTER}}), encoding="utf-8")
    key.write_bytes(PEM)
    key.chmod(0o600)
    result = CliRunner().invoke(mcp, ["sign", str(path), "--key", str(key)], obj=document_of)
    assert result.exit_code == 0, result.output
    return str(yaml.safe_load(result.output)["mcp_servers"][name]["signature"])


async def test_a_signed_program_serves_and_an_unsigned_one_stops_the_start(
    gateway: StartGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "CHILD_TOKEN", "t0ken-of-the-child")
    data = tmp_path / "data"
    trusted(data)
    row: dict[str, Any] = {"transport": "stdio", "command": sys.executable, "args": [SERVER]}
    row["env"] = {"MODE": "calm", "SERVER_TOKEN": "of-the-child"}
    told = config(data, child=row)
    with pytest.raises(RouteIQError, match=r"mcp_servers\.child starts a program and is not signed"):
        await gateway(told)
    row["signature"] = signature(tmp_path, told, "child")
    running = await gateway(told)
    async with client(running, "/child/mcp") as connected:
        result: Any = await connected.call_tool("environment", {})
        environment = json.loads(result.content[0].text)
        assert environment["SERVER_TOKEN"] == "of-the-child"
        assert environment["MODE"] == "calm"
        assert MASTER not in result.content[0].text
        assert "CHILD_TOKEN" not in environment
    row["args"] = [SERVER, "more"]
    with pytest.raises(RouteIQError, match="not what a trusted key has signed"):
        await gateway(told)


async def test_an_api_and_an_old_server_are_served_like_any_other(gateway: StartGateway, tmp_path: Path) -> None:
    api = Recorder(Starlette(routes=[Route("/{path:path}", echo, methods=["GET", "POST", "DELETE"])]))
    old = Recorder(sdk_server().sse_app())
    path = tmp_path / "pets.json"
    path.write_text(json.dumps(document()), encoding="utf-8")
    async with serving(api) as api_url, serving(old) as old_url:
        pets = {"spec_path": str(path), "url": api_url, "auth_type": "api_key", "auth_value": "key-of-the-api"}
        running = await gateway(config(tmp_path / "data", pets=pets, old={"url": f"{old_url}/sse"}))
        async with client(running, "/pets/mcp") as connected:
            result: Any = await connected.call_tool("getPet", {"id": "a/b"})
            assert result.structured_content["path"] == "/pets/a%2Fb"
        async with client(running, "/old/mcp") as connected:
            result = await connected.call_tool("add", {"a": 1, "b": 2})
            assert result.content[0].text == "3"
    assert api.seen[-1].headers["x-api-key"] == "key-of-the-api"
    assert not any(MASTER in one.text for one in [*api.seen, *old.seen])
