"""The fakes keep the promises of the services that they stand in for."""

from __future__ import annotations

import asyncio

import pytest

from routeiq_sdk import Principal, RequestError, RouteIQError
from routeiq_sdk.testing import FakeClock, FakeEgress, FakeGateway, FakeSpool, FakeState, make_context, make_request
from routeiq_sdk.testing.services import FakeAnswer
from routeiq_sdk.values.http import Headers


async def test_a_counter_does_not_pass_its_limit() -> None:
    state = FakeState(FakeClock())
    assert await state.increment("k", 3, limit=4) == 3
    assert await state.increment("k", 2, limit=4) is None
    assert await state.counters(["k", "other"]) == [3, 0]


async def test_counters_and_records_end_with_the_fake_clock() -> None:
    clock = FakeClock()
    state = FakeState(clock)
    await state.increment("k", 1, ttl_seconds=10)
    await state.put("t", "a", b"1", ttl_seconds=10)
    clock.advance(5)
    assert await state.increment("k", 1, ttl_seconds=10) == 2
    clock.advance(6)
    assert await state.counters(["k"]) == [0]
    assert await state.get("t", "a") is None
    assert not await state.delete("t", "a")


async def test_a_record_changes_only_from_what_was_expected() -> None:
    state = FakeState(FakeClock())
    assert await state.put_if("t", "a", b"1", expected=None)
    assert not await state.put_if("t", "a", b"2", expected=None)
    assert await state.put_if("t", "a", b"2", expected=b"1")
    await state.put("t", "b", b"3")
    assert [row async for row in state.scan("t")] == [("a", b"2"), ("b", b"3")]


async def test_a_lease_has_one_holder_and_a_rising_epoch() -> None:
    clock = FakeClock()
    state = FakeState(clock)
    first = await state.acquire("l", "me", 10)
    assert first is not None
    assert await state.acquire("l", "you", 10) is None
    assert await state.renew("l", "me", 10)
    clock.advance(11)
    assert not await state.renew("l", "me", 10)
    second = await state.acquire("l", "you", 10)
    assert second is not None
    assert second.epoch == first.epoch + 1


async def test_messages_reach_who_subscribes() -> None:
    state = FakeState(FakeClock())
    async with state.subscribe("c") as messages:
        await state.publish("c", b"hello")
        assert await anext(messages) == b"hello"


async def test_a_queue_forgets_what_it_is_told_to() -> None:
    spool = FakeSpool()
    assert [await spool.append(part) for part in (b"a", b"b", b"c")] == [1, 2, 3]
    await spool.forget(1)
    assert [entry async for entry in spool.read(after=0)] == [(2, b"b"), (3, b"c")]


async def test_the_outside_answers_fails_and_hangs_as_scripted() -> None:
    egress = FakeEgress()
    egress.answer(FakeAnswer(429), FakeAnswer(200, b"ok"))
    statuses = []
    for _ in range(3):
        async with egress.call("GET", "https://example.org") as answer:
            statuses.append(answer.status)
    assert statuses == [429, 200, 200]
    egress.hang()
    with pytest.raises(TimeoutError):
        async with egress.call("GET", "https://example.org", timeout_seconds=0.01):
            pass
    egress.release()
    egress.fail()
    with pytest.raises(ConnectionError):
        async with egress.call("GET", "https://example.org"):
            pass
    assert len(egress.calls) == 5


async def test_spawned_work_ends_with_the_gateway() -> None:
    gateway = FakeGateway()
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    gateway.spawn("work", work)
    await asyncio.sleep(0)
    folder = gateway.data_dir
    await gateway.aclose()
    assert ended.is_set()
    assert not folder.exists()


async def test_a_crash_of_spawned_work_is_not_lost() -> None:
    gateway = FakeGateway()

    async def work() -> None:
        raise RuntimeError("crashed")

    gateway.spawn("work", work)
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="crashed"):
        await gateway.aclose()


async def test_nested_calls_are_answered_in_order_and_then_fail() -> None:
    gateway = FakeGateway()
    gateway.answers.append({"id": 1})
    assert await gateway.call(None, {"model": "m"}) == {"id": 1}
    with pytest.raises(RequestError):
        await gateway.call(None, {"model": "m"})


def test_a_request_gives_all_text_and_the_users_last() -> None:
    request = make_request(
        messages=[
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {}}]},
            {"role": "assistant", "content": None},
        ]
    )
    assert request.text() == "Be kind.\nHi\n"
    assert request.last_user_text() == "Hi"


def test_a_context_repeats_headers_when_given_pairs() -> None:
    context = make_context(headers=[("X-A", "1"), ("x-a", "2")])
    assert context.headers.get("x-a") == "1"
    assert len(context.headers.raw) == 2


async def test_egress_notes_on_whose_behalf_a_call_is_made_and_what_is_checked() -> None:
    egress = FakeGateway().egress
    async with egress.call("GET", "https://example.org", untrusted=True, tenants=["red"]):
        pass
    (call,) = egress.calls
    assert (call.untrusted, call.tenants) == (True, ("red",))
    egress.forbid("metadata:80")
    await egress.check("broker.example:9092")
    with pytest.raises(RouteIQError, match="metadata:80"):
        await egress.check("metadata:80")
    assert egress.checked == ["broker.example:9092", "metadata:80"]


async def test_a_library_gets_an_address_and_what_was_forbidden_gets_none() -> None:
    egress = FakeGateway().egress
    assert await egress.pinned("https://agent.example", untrusted=True, tenants=["red"]) == ("192.0.2.1",)
    egress.forbid("https://agent.example")
    with pytest.raises(RouteIQError):
        await egress.pinned("https://agent.example")


async def test_a_plugins_own_listener_lets_in_the_caller_of_the_test() -> None:
    gateway = FakeGateway()
    headers = Headers([(b"authorization", b"Bearer x")])
    with pytest.raises(RequestError):
        async with gateway.admitted("/service/Method", headers, action="agent:call"):
            pass
    gateway.caller = Principal("ann")
    async with gateway.admitted("/service/Method", headers, action="agent:call", client="192.0.2.7") as ctx:
        assert (ctx.principal.id, ctx.route, ctx.action, ctx.client) == (
            "ann",
            "/service/Method",
            "agent:call",
            "192.0.2.7",
        )
        assert ctx.headers is headers
