"""What is a call of the guard's own: the child of a request that is being judged, made on the way of a verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from routeiq_guard_external.own_calls import is_own, judging
from routeiq_sdk.testing.fakes import make_context

JUDGED = make_context(request_id="r-1")
CHILD = make_context(request_id="r-2", route="nested:r-1")
GRANDCHILD = make_context(request_id="r-3", route="nested:r-2")


def test_only_the_children_of_a_judged_request_are_own_calls_and_only_while_it_lasts() -> None:
    assert not is_own(CHILD)
    with judging(JUDGED):
        assert not is_own(JUDGED)
        assert not is_own(GRANDCHILD), "its parent was never seen on the way"
        assert is_own(CHILD)
        assert is_own(GRANDCHILD)
        assert not is_own(make_context(request_id="r-4"))
        assert not is_own(make_context(request_id="r-5", route="nested"))
        assert not is_own(make_context(request_id="r-6", route="nested:another"))
        assert not is_own(make_context(request_id="r-7", route="/v1/nested:r-1"))
    assert not is_own(CHILD)


async def _in_a_task(look: Callable[[], Awaitable[bool]]) -> bool:
    return await asyncio.create_task(look())  # type: ignore[arg-type]


async def test_tasks_of_a_verdict_belong_to_it_and_a_task_that_outlives_it_vouches_for_nothing_else() -> None:
    go = asyncio.Event()

    async def child() -> bool:
        return is_own(CHILD)

    async def later() -> list[bool]:
        await go.wait()
        return [is_own(make_context(request_id="r-8", route=route)) for route in ("nested", "nested:r-9", "/v1/x")]

    with judging(JUDGED):
        assert await _in_a_task(child)
        outliving = asyncio.create_task(later())
    assert not await _in_a_task(child)
    go.set()
    assert await outliving == [False, False, False]
