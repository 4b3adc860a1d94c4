"""An answer that comes before the body was read: its client sees it, and nothing of the request stays behind."""

from __future__ import annotations

import asyncio

import pytest

from routeiq.server import unread
from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row

PIECE = b"x" * 100_000
STRANGER = {"authorization": "Bearer sk-of-nobody-at-all"}


@pytest.fixture
def start(gateway, scripted_upstream: ScriptedUpstream):
    async def start(**limits: float) -> TestGateway:
        rows = [openai_row("fast", scripted_upstream.base_url)]
        plugins = {"governance": {}}  # it asks its database about strangers, and meanwhile their bodies arrive
        return await gateway({"model_list": rows, "routeiq": {"limits": limits, "plugins": plugins}})

    return start


async def _at_rest(gw: TestGateway) -> None:
    async with asyncio.timeout(5):
        while gw.runtime.shared.in_flight.now or gw.app.drain.live:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("leaves", [False, True], ids=["stays", "leaves"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/routeiq/v1/reload", "/nowhere", "/v1/models"])
async def test_strangers_with_large_bodies_take_no_place_for_good(
    start, raw_client, monkeypatch: pytest.MonkeyPatch, path: str, chunked: bool, leaves: bool
) -> None:
    monkeypatch.setattr(unread, "LINGER_SECONDS", 0.2)
    gw = await start(in_flight=2)
    told = {"transfer_encoding": "chunked"} if chunked else {"content_length": str(30 * len(PIECE))}
    connections = []
    for _ in range(4):
        connection = await raw_client(gw)
        connections.append(connection)
        await connection.head(path, **STRANGER, **told)
        piece = b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if chunked else PIECE
        connection.writer.write(piece * 29)
        answer = await connection.answer()
        assert answer.status in (401, 404, 405)
        if leaves:
            connection.leave()
        # else its client waits, and never ends what it sends
    await _at_rest(gw)
    assert (await gw.chat("fast"))[0] == 200
    await _at_rest(gw)
    if not leaves:
        for connection in connections:
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await asyncio.wait_for(connection.reader.readexactly(1), 5)


@pytest.mark.parametrize("size", [100, 600_000, 5_000_000])
@pytest.mark.parametrize("known", [False, True], ids=["a stranger's", "too large"])
async def test_the_next_request_of_the_same_client_is_answered(start, size: int, known: bool) -> None:
    gw = await start(**({"body_mib": 0.00005} if known else {}))
    headers = {} if known else STRANGER
    for _ in range(3):
        async with gw.session.post("/v1/chat/completions", data=b"x" * size, headers=headers) as response:
            assert response.status == (413 if known else 401)
        async with asyncio.timeout(5):
            assert (await gw.chat("fast"))[0] == (413 if known else 200)


async def test_the_connection_of_a_small_refused_request_is_kept(start, raw_client) -> None:
    gw = await start()
    connection = await raw_client(gw)
    for _ in range(3):
        answer = await connection.post(b"x" * 1000, **STRANGER)
        assert answer.status == 401
        assert "connection" not in answer.headers


async def test_a_large_refused_body_ends_the_connection_and_says_so(start, raw_client) -> None:
    gw = await start()
    connection = await raw_client(gw)
    await connection.head(content_length="1000000", **STRANGER)
    await connection.send(PIECE)
    answer = await connection.answer()
    assert (answer.status, answer.headers["connection"]) == (401, "close")
    await connection.send(PIECE * 9)
    assert await connection.until_closed() == b""
    await _at_rest(gw)
