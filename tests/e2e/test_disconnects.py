"""Promise: a client that goes away costs no more than what was done: the call is cut, the ledger settled.
Providers that go away are `test_streams`'s and `test_bad_upstream`'s.
"""

from __future__ import annotations

import asyncio
import sys
from types import ModuleType
from typing import Any

import pytest

from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import anthropic_row, openai_row

BODY = b'{"model": "fast", "messages": [{"role": "user", "content": "hello"}], "stream": %b}'

LEDGER = """
import sys

from routeiq_sdk import Plugin, hookimpl


class Fixture(Plugin):
    name = "ledger"

    @hookimpl
    async def reserve(self, ctx, ranked):
        sys.modules["ledger_seen"].seen.append(("reserve", ctx.request_id, [group.name for group in ranked]))

    @hookimpl
    async def settle(self, ctx, usage):
        sys.modules["ledger_seen"].seen.append(("settle", ctx.request_id, usage))
"""


@pytest.fixture
def ledger(plugin_folder, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A ledger plugin, and what it was told."""
    module = ModuleType("ledger_seen")
    module.seen = []  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ledger_seen", module)
    plugin_folder.install("ledger", LEDGER)
    return module.seen  # type: ignore[no-any-return]


async def _gateway(gateway: Any, up: ScriptedUpstream, **routeiq: Any) -> Any:
    rows = [openai_row("fast", up.base_url), anthropic_row("claude", up.origin)]
    return await gateway({"model_list": rows, "routeiq": routeiq})


async def test_leaving_before_the_answer_cuts_the_call(
    gateway, scripted_upstream: ScriptedUpstream, raw_client, nothing_left, ledger: list[Any]
) -> None:
    gw = await _gateway(gateway, scripted_upstream, plugins={"ledger": {}})
    scripted_upstream.script(Reply.hang())
    connection = await raw_client(gw)
    body = BODY % b"false"
    await connection.head(content_length=str(len(body)))
    await connection.send(body)
    request = await scripted_upstream.until_requests(1)
    connection.leave()
    async with asyncio.timeout(5.0):
        await request.disconnected.wait()
    await scripted_upstream.until_idle()
    (record,) = await nothing_left(gw)
    assert (record.status, record.error_type) == (499, "client_disconnected")
    (attempt,) = record.attempts
    assert (attempt.kind, attempt.dispatched) == ("cancelled", True)
    assert [entry[0] for entry in ledger] == ["reserve", "settle"]
    assert {entry[1] for entry in ledger} == {record.request_id}


@pytest.mark.parametrize("model", ["fast", "claude"])
async def test_leaving_within_a_stream_cuts_the_call_and_settles_what_was_said(
    gateway, scripted_upstream: ScriptedUpstream, raw_client, nothing_left, ledger: list[Any], model: str
) -> None:
    gw = await _gateway(gateway, scripted_upstream, plugins={"ledger": {}})
    source = Reply.stream() if model == "fast" else Reply.message_stream()
    scripted_upstream.script(Reply.hang(after_events=4, of=source))
    connection = await raw_client(gw)
    body = (BODY % b"true").replace(b"fast", model.encode())
    await connection.head(content_length=str(len(body)))
    await connection.send(body)
    async with asyncio.timeout(5.0):
        await connection.reader.readuntil(b"Hello")
    connection.leave()
    async with asyncio.timeout(5.0):
        await scripted_upstream.requests[0].disconnected.wait()
    (record,) = await nothing_left(gw)
    assert record.status == 499
    (attempt,) = record.attempts
    assert (attempt.kind, attempt.dispatched) == ("cancelled", True)
    assert attempt.usage.output_tokens > 0
    settled = [entry for entry in ledger if entry[0] == "settle"]
    assert [(entry[1], entry[2]) for entry in settled] == [(record.request_id, record.usage)]
    await scripted_upstream.until_idle()


async def test_leaving_within_the_body_calls_nobody(
    gateway, scripted_upstream: ScriptedUpstream, raw_client, nothing_left, ledger: list[Any]
) -> None:
    gw = await _gateway(gateway, scripted_upstream, plugins={"ledger": {}})
    connection = await raw_client(gw)
    await connection.head(content_length="1000")
    await connection.send(b'{"model": "fa')
    async with asyncio.timeout(5.0):
        while not gw.runtime.shared.in_flight.now:
            await asyncio.sleep(0.005)
    connection.leave()
    (record,) = await nothing_left(gw)
    assert (record.status, record.attempts) == (499, ())
    assert ledger == []
    assert scripted_upstream.connections_seen == 0


async def test_leaving_between_two_attempts_ends_them(
    gateway, scripted_upstream: ScriptedUpstream, raw_client, nothing_left
) -> None:
    gw = await gateway({"model_list": [openai_row("fast", scripted_upstream.base_url)]})
    scripted_upstream.script(Reply.error(503, headers={"retry-after": "30"}))
    connection = await raw_client(gw)
    body = BODY % b"false"
    await connection.head(content_length=str(len(body)))
    await connection.send(body)
    await scripted_upstream.until_requests(1)
    async with asyncio.timeout(5.0):
        await scripted_upstream.requests[0].answered.wait()
    connection.leave()
    (record,) = await nothing_left(gw)
    assert (record.status, [attempt.kind for attempt in record.attempts]) == (499, ["error"])
    assert len(scripted_upstream.requests) == 1


async def test_many_clients_that_leave_leave_nothing(
    gateway, scripted_upstream: ScriptedUpstream, raw_client, nothing_left
) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    scripted_upstream.default = Reply.hang(after_events=3)
    body = BODY % b"true"
    connections = [await raw_client(gw) for _ in range(20)]
    for connection in connections:
        await connection.head(content_length=str(len(body)))
        await connection.send(body)
    await scripted_upstream.until_requests(20)
    for connection in connections:
        connection.leave()
    await scripted_upstream.until_idle()
    records = await nothing_left(gw, 20)
    assert {record.status for record in records} == {499}
    status, _, _ = await _healthy(gw, scripted_upstream)
    assert status == 200


async def _healthy(gw: Any, up: ScriptedUpstream) -> Any:
    up.default = Reply.fitting()
    return await gw.chat("fast")


async def test_a_client_that_reads_slowly_holds_the_provider_back(
    gateway, scripted_upstream: ScriptedUpstream, raw_client, nothing_left
) -> None:
    gw = await _gateway(gateway, scripted_upstream)
    scripted_upstream.script(Reply.stream(["x" * 100_000] * 400))
    connection = await raw_client(gw)
    connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
    body = BODY % b"true"
    await connection.head(content_length=str(len(body)))
    await connection.send(body)
    request = await scripted_upstream.until_requests(1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.7):
            await request.answered.wait()  # 40 MB are not taken in for a client that takes none
    connection.writer.transport.resume_reading()  # type: ignore[attr-defined]
    async with asyncio.timeout(10.0):
        await _until_done(connection)
    (record,) = await nothing_left(gw)
    assert record.status == 200


async def _until_done(connection: Any) -> None:
    tail = b""
    while b"[DONE]" not in tail:
        block = await connection.reader.read(1 << 20)
        assert block
        tail = tail[-16:] + block
