"""Calls outlive what they may outlive, and nothing grows without bound when a client does not read or never comes."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter

import pytest

from routeiq_mcp.door import DoorOptions
from routeiq_mcp.door.calls import Call, Calls
from routeiq_mcp.door.feeds import EVERYTHING, Feed
from routeiq_mcp.door.readers import Here
from routeiq_mcp.door.replies import EventStream, Shape
from routeiq_mcp.door.slots import Slots
from routeiq_mcp.seams import Json, McpError, Peer
from routeiq_mcp.wire import messages

from .scripted import KEY, ScriptedFace, ask, initialize, legacy, serving, text

OPTIONS = DoorOptions(keys=(KEY,))


def _told(call: Call) -> list[bytes]:
    return [item.content for item in call._items]


async def test_a_client_that_does_not_read_loses_the_oldest_notifications() -> None:
    call = Call("c", "me", 256)
    for number in range(10_000):
        call.send(messages.notification("notifications/progress", {"progress": number}))
    assert len(_told(call)) == 256
    assert b"9999" in _told(call)[-1]
    large = Call("c", "me", 256, resumable=True)
    for _ in range(100):
        large.send(messages.notification("notifications/message", {"data": "x" * 1_000_000}))
    assert sum(map(len, _told(large))) < 5_000_000


async def test_a_server_cannot_ask_without_end() -> None:
    call = Call("c", "me", 256)
    asking = [asyncio.create_task(call.ask(str(number), "roots/list", {})) for number in range(32)]
    await asyncio.sleep(0)
    with pytest.raises(McpError, match="at most 32"):
        await call.ask("more", "roots/list", {})
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    assert call.questions == {}


@pytest.mark.parametrize("version", ["2025-03-26", "2025-11-25"])
async def test_a_legacy_client_that_leaves_does_not_end_its_call(version: str) -> None:
    face = ScriptedFace()
    begun, go = asyncio.Event(), asyncio.Event()
    ended: Counter[str] = Counter()

    async def slow(params: Json, peer: Peer) -> Json:
        begun.set()
        try:
            await go.wait()
        except asyncio.CancelledError:
            ended["cancelled"] += 1
            raise
        ended["done"] += 1
        return text("done")

    face.tools["slow"] = slow
    async with serving(face, json_seconds=0.05) as world:
        async with world.client() as client:
            await initialize(client, version)
            asking = asyncio.create_task(legacy(client, "tools/call", {"name": "slow"}))
            await begun.wait()
            await asyncio.sleep(0.2)
            asking.cancel()
            async with asyncio.timeout(5):
                await world.gone.wait()
            go.set()
            await legacy(client, "ping")
        assert ended == {"done": 1}


async def test_the_end_of_a_session_ends_its_calls() -> None:
    face = ScriptedFace()
    begun, ended = asyncio.Event(), asyncio.Event()

    async def forever(params: Json, peer: Peer) -> Json:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    face.tools["forever"] = forever
    async with serving(face, replicas=2) as world, world.client() as client:
        await initialize(client)
        world.only = 0
        asking = asyncio.create_task(legacy(client, "tools/call", {"name": "forever"}))
        await begun.wait()
        world.only = 1
        assert (await client.delete("/mcp")).status_code == 204
        async with asyncio.timeout(5):
            await ended.wait()
            await asking


async def test_a_stream_whose_head_was_never_sent_gives_its_place_back_and_ends_its_call() -> None:
    slots, calls = Slots(OPTIONS), Calls(OPTIONS)

    async def forever(call: Call) -> None:
        await asyncio.Event().wait()

    call = calls.start("me", forever)
    stream = EventStream(Here(calls, call, "a" * 12), Shape(True, 1), OPTIONS, None, slots.take("me"))
    taken = slots.take("me")
    assert taken is not None
    feed = Feed(lambda wanted: ScriptedFace().listen(None, wanted), EVERYTHING, ping_seconds=1, slot=taken)  # type: ignore[arg-type]
    assert slots.taken == 2
    del stream, feed
    gc.collect()
    assert slots.taken == 0
    assert call.task is not None
    await asyncio.gather(call.task, return_exceptions=True)
    assert len(calls) == 0


async def test_nothing_is_left_of_calls_that_ended() -> None:
    async with serving(replicas=2) as world, world.client() as client:
        await initialize(client)
        for _ in range(20):
            await legacy(client, "tools/call", {"name": "echo"})
            await ask(client, "tools/call", {"name": "echo"})
        for door in world.doors:
            calls = door._calls
            assert (len(calls), calls._named, calls._waiting, calls._tasks) == (0, {}, {}, set())
            assert (door._slots.taken, door._legacy._questions._open) == (0, {})


@pytest.mark.parametrize("last", ["", "x", "....", "ffffffffffff.0.1", "*.*.*", "a" * 4000, "mcp.door.1"])
async def test_the_id_of_no_event_is_refused(last: str) -> None:
    async with serving() as world, world.client() as client:
        await initialize(client)
        answer = await client.get("/mcp", headers={"last-event-id": last})
        assert answer.status_code == 400
        assert world.doors[0]._slots.taken == 0
