"""A body is read within its bounds, and a client that leaves ends the work for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq.limits.in_flight import InFlight
from routeiq.limits.reading import ClientGone, TooLarge, TooSlow, read_body
from routeiq.request.client_watch import ClientWatch


def messages(*parts: bytes | None):
    """A receive callable: body parts, `None` for a disconnect; after the last it waits for ever."""
    queue = [
        {"type": "http.disconnect"}
        if part is None
        else {"type": "http.request", "body": part, "more_body": place < len(parts) - 1}
        for place, part in enumerate(parts)
    ]

    async def receive():
        if queue:
            return queue.pop(0)
        return await asyncio.Event().wait()

    return receive


@given(parts=st.lists(st.binary(max_size=20), min_size=1, max_size=8), most=st.integers(0, 60))
def test_a_body_comes_whole_or_is_too_large_however_it_is_cut(parts: Sequence[bytes], most: int) -> None:
    whole = b"".join(parts)

    async def read() -> bytes:
        return await read_body(messages(*parts), most, 5.0, None)

    if len(whole) > most:
        with pytest.raises(TooLarge):
            asyncio.run(read())
    else:
        assert asyncio.run(read()) == whole


async def test_a_length_that_is_told_refuses_before_anything_is_read() -> None:
    async def receive():
        raise AssertionError("it was read")

    with pytest.raises(TooLarge):
        await read_body(receive, 10, 5.0, 11)


@pytest.mark.parametrize("parts", [(), (b"a", b"b")], ids=["from the start", "half way"])
async def test_a_body_that_does_not_come_in_time_is_too_slow(parts: tuple[bytes, ...]) -> None:
    receive = messages(*parts)
    if parts:
        first = await receive()

        async def again(pending=[first]):  # noqa: B006
            return pending.pop() if pending else await asyncio.Event().wait()

        receive = again
    with pytest.raises(TooSlow):
        await read_body(receive, 100, 0.02, None)


@pytest.mark.parametrize("parts", [(None,), (b"a", None)], ids=["before the first byte", "half way"])
async def test_a_client_that_leaves_while_it_sends_is_gone(parts: tuple[bytes | None, ...]) -> None:
    with pytest.raises(ClientGone):
        await read_body(messages(*parts), 100, 5.0, None)


def not_yet() -> bool:
    return False


async def test_work_ends_when_its_client_leaves() -> None:
    left = asyncio.Event()
    cancelled = asyncio.Event()

    async def receive():
        await left.wait()
        return {"type": "http.disconnect"}

    async def work() -> None:
        left.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with asyncio.timeout(5):
        with pytest.raises(ClientGone):
            async with ClientWatch(receive, not_yet):
                await work()
    assert cancelled.is_set()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0, "the task can go on: the cancellation was its own"


async def test_work_that_ends_by_itself_is_left_alone() -> None:
    async with ClientWatch(messages(), not_yet):
        await asyncio.sleep(0)
    with pytest.raises(ValueError, match="its own"):
        async with ClientWatch(messages(), not_yet):
            raise ValueError("its own")


async def test_a_client_that_leaves_with_the_last_byte_is_not_gone() -> None:
    async with ClientWatch(messages(None), lambda: True):
        for _ in range(5):
            await asyncio.sleep(0)


async def test_a_cancellation_from_outside_is_no_leaving_client() -> None:
    inside = asyncio.Event()

    async def work() -> None:
        async with ClientWatch(messages(), not_yet):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 5))
def test_places_in_flight_are_never_more_than_allowed_and_all_given_back(steps: list[bool], most: int) -> None:
    places, inside, refused = InFlight(most), 0, 0
    for enters in steps:
        if enters:
            entered = places.enter()
            assert entered is (inside < most)
            inside += entered
            refused += not entered
        elif inside:
            places.leave()
            inside -= 1
        assert places.now == inside <= most
    assert places.refused == refused
    assert places.peak <= most
