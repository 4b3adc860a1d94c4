"""The httpx transport: a library that speaks httpx streams, uploads and fails through it as through httpx itself."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from aiohttp import web

from routeiq.egress import EgressPolicy, httpx_client, httpx_transport


@pytest.fixture
def client_for(serve: Any, open_egress: Any) -> Any:
    """`client = await client_for(handler)`: an httpx client whose base is a local server the operator wrote."""

    async def start(handler: Any) -> httpx.AsyncClient:
        base = f"http://127.0.0.1:{await serve(handler)}"
        egress = await open_egress(EgressPolicy.compile([base], []))
        return httpx.AsyncClient(transport=httpx_transport(egress), base_url=base)

    return start


async def echo(request: web.Request) -> web.Response:
    body = await request.read()
    return web.json_response(
        {
            "body": body.decode(),
            "path": request.raw_path,
            "length": request.headers.get("Content-Length"),
            "key": request.headers.get("X-Api-Key"),
            "host": request.host,
            "hosts": len(request.headers.getall("Host")),
        }
    )


async def test_a_request_arrives_as_httpx_wrote_it(client_for: Any) -> None:
    async with await client_for(echo) as client:
        response = await client.post("/v1/chat?x=%2F#gone", json={"a": 1}, headers={"x-api-key": "k"})
        seen = response.json()
        assert seen["body"] == '{"a":1}'
        assert (seen["path"], seen["length"], seen["key"], seen["hosts"]) == ("/v1/chat?x=%2F", "7", "k", 1)
        assert seen["host"] == f"{client.base_url.host}:{client.base_url.port}"
        assert response.http_version == "HTTP/1.1"
        assert response.reason_phrase == "OK"
        forged = await client.get("/", headers={"host": "other.example"})
        assert forged.json()["host"] == seen["host"]


@pytest.mark.parametrize("length", [None, "10"])
async def test_an_upload_streams(client_for: Any, length: str | None) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"first"
        yield b"after"

    headers = {"Content-Length": length} if length else {}
    async with await client_for(echo) as client:
        seen = (await client.put("/", content=parts(), headers=headers)).json()
    assert (seen["body"], seen["length"]) == ("firstafter", length)


async def test_a_download_streams_and_closing_early_tells_the_server(client_for: Any) -> None:
    gone = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"data: x\n\n")
                await asyncio.sleep(0.001)
        finally:
            gone.set()

    async with await client_for(endless) as client, client.stream("GET", "/") as response:
        assert (await anext(response.aiter_bytes())).startswith(b"data: x")
    async with asyncio.timeout(5):
        await gone.wait()


async def test_a_compressed_body_is_unpacked_once(client_for: Any) -> None:
    async def packed(request: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b"plain"), headers={"Content-Encoding": "gzip"})

    async with await client_for(packed) as client:
        assert (await client.get("/")).text == "plain"


async def test_a_redirect_reaches_the_library_without_its_target(client_for: Any) -> None:
    async def redirect(request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "/again", "Operation-Location": "/op"})

    async with await client_for(redirect) as client:
        response = await client.post("/", content=b"x", follow_redirects=True)
    assert response.status_code == 307
    assert "location" not in response.headers
    assert response.headers["operation-location"] == "/op"


async def test_the_networks_failures_are_httpxs(client_for: Any, open_egress: Any) -> None:
    async def fail(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        if request.path == "/hang":
            await asyncio.Event().wait()
        if request.path == "/cut":
            request.transport.close()
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        if request.path == "/stall":
            await asyncio.Event().wait()
        request.transport.close()
        return response

    async with await client_for(fail) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/hang", timeout=0.1)
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/stall", timeout=0.1)
        for path in ("/cut", "/half"):
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get(path)
    base = "http://127.0.0.1:1"
    async with httpx_client(await open_egress(EgressPolicy.compile([base], []))) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(base)


async def test_a_name_that_hangs_is_a_connect_timeout(open_egress: Any) -> None:
    async def silent(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    async with httpx_client(await open_egress(EgressPolicy(), lookup=silent)) as client:
        with pytest.raises(httpx.ConnectTimeout):
            await client.get("http://example.com/", timeout=0.1)


def test_httpx_is_not_loaded_with_the_package() -> None:
    program = "import sys, routeiq.egress; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0
