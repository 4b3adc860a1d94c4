"""The example of sign-in: a token calls, a role administers, and whoever SCIM deactivates is out."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from example_runs import EXAMPLES, Serve

FOLDER = EXAMPLES / "oidc"
SCIM_TOKEN = "scim-token-5c1f0e8a7b"
CHAT: dict[str, Any] = {"model": "fast", "messages": [{"role": "user", "content": "Hello!"}]}


@asynccontextmanager
async def issuer() -> AsyncIterator[str]:
    """The stand-in, in a process of its own; its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, FOLDER / "issuer.py", str(port), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            line = (await process.stdout.readline()).decode()
        assert line.startswith("issuing at "), line
        yield line.split()[-1]
    finally:
        process.terminate()
        await process.wait()


async def test_a_token_calls_a_role_administers_and_scim_shuts_the_door(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCIM_TOKEN", SCIM_TOKEN)
    async with issuer() as url, aiohttp.ClientSession() as session:
        text = (FOLDER / "routeiq.yaml").read_text(encoding="utf-8").replace("http://127.0.0.1:4010", url)
        config = tmp_path / "routeiq.yaml"
        config.write_text(f"{text}  data_dir: {tmp_path / 'data'}\n", encoding="utf-8")
        gateway = await serve(config)

        async def token(query: str) -> str:
            async with session.get(f"{url}/token?{query}") as response:
                return await response.text()

        async def call(method: str, path: str, key: str, body: Any = None) -> tuple[int, Any]:
            headers = {"authorization": f"Bearer {key}"}
            async with session.request(method, gateway.url + path, json=body, headers=headers) as response:
                return response.status, await response.json()

        ann, boss = await token("sub=ann"), await token("sub=bo&roles=llm-admins")
        assert (await call("POST", "/v1/chat/completions", ann, CHAT))[0] == 200
        assert (await call("GET", "/user/list", ann))[0] == 403
        assert (await call("GET", "/user/list", boss))[0] == 200
        person = {"userName": "ann@example.com", "externalId": "ann"}
        status, made = await call("POST", "/scim/v2/Users", SCIM_TOKEN, person)
        assert status == 201
        off = {"Operations": [{"op": "replace", "path": "active", "value": False}]}
        assert (await call("PATCH", f"/scim/v2/Users/{made['id']}", SCIM_TOKEN, off))[0] == 200
        assert (await call("POST", "/v1/chat/completions", ann, CHAT))[0] == 401
