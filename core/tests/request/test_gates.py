"""Calling the plugins of a gate: order, one deadline, figures, and what a refusal becomes."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from routeiq.errors import Errors
from routeiq.plugins.compiled import Call
from routeiq.request import gates
from routeiq_sdk import Reject, Replace, RequestError
from routeiq_sdk.values.verdict import MOST_NOTED

ERRORS = Errors("1.109")


def call(name: str, answer=None, *, raises: BaseException | None = None, waits: bool = False, said: list | None = None):
    async def function(ctx, *args):
        if said is not None:
            said.append(name)
        if waits:
            await asyncio.Event().wait()
        if raises is not None:
            raise raises
        return answer

    return Call(name, "dist", "guard_request", function)


async def test_the_first_answer_ends_the_asking(make_ctx) -> None:
    said: list[str] = []
    yes = Replace({})
    calls = [call("a", said=said), call("b", yes, said=said), call("c", said=said)]
    assert await gates.first_answer(calls, make_ctx(), ERRORS) is yes
    assert said == ["a", "b"]
    assert [one.stats.calls for one in calls] == [1, 1, 0]


async def test_the_first_objection_ends_the_asking_and_other_answers_do_not(make_ctx) -> None:
    said: list[str] = []
    no = Reject(403, "no")
    calls = [call("a", Replace({}), said=said), call("b", no, said=said), call("c", said=said)]
    assert await gates.any_objection(calls, make_ctx(), ERRORS) is no
    assert said == ["a", "b"]


async def test_a_failure_refuses_in_the_name_of_the_plugin_that_failed(make_ctx) -> None:
    calls = [call("good"), call("bad", raises=KeyError("inner")), call("late")]
    for ask in (gates.first_answer, gates.any_objection):
        with pytest.raises(RequestError) as caught:
            await ask(calls, make_ctx(), ERRORS)
        assert caught.value.status == 503
        assert "'bad'" in caught.value.message
        assert "inner" not in caught.value.message
    assert [one.stats.errors for one in calls] == [0, 2, 0]


async def test_an_error_meant_for_the_client_reaches_it(make_ctx) -> None:
    meant = RequestError(402, "pay first")
    with pytest.raises(RequestError) as caught:
        await gates.first_answer([call("a", raises=meant)], make_ctx(), ERRORS)
    assert caught.value is meant


async def test_lateness_refuses_in_the_name_of_the_late_plugin(make_ctx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "STAGE_SECONDS", 0.02)
    calls = [call("good"), call("stuck", waits=True), call("after")]
    with pytest.raises(RequestError, match="'stuck'"):
        await gates.any_objection(calls, make_ctx(), ERRORS)
    assert [one.stats.errors for one in calls] == [0, 1, 0]


@pytest.mark.parametrize("answer", [False, True, "no", 0, {}, object()])
async def test_an_answer_that_the_hook_does_not_know_is_a_failure_and_no_consent(make_ctx, answer) -> None:
    with pytest.raises(RequestError, match="'odd'"):
        await gates.any_objection([call("odd", answer)], make_ctx(), ERRORS)


async def test_a_plugin_that_takes_the_deadline_for_its_own_is_late(make_ctx, monkeypatch: pytest.MonkeyPatch) -> None:
    async def function(ctx):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    monkeypatch.setattr(gates, "STAGE_SECONDS", 0.02)
    with pytest.raises(RequestError, match="'deaf'"):
        await gates.any_objection([Call("deaf", "dist", "authorize", function)], make_ctx(), ERRORS)


async def test_a_plugin_that_cancels_nobody_but_says_so_has_failed(make_ctx) -> None:
    with pytest.raises(RequestError, match="'odd'"):
        await gates.any_objection([call("odd", raises=asyncio.CancelledError())], make_ctx(), ERRORS)


async def test_a_cancellation_is_nobodys_failure(make_ctx) -> None:
    stuck = call("stuck", waits=True)
    task = asyncio.create_task(gates.first_answer([stuck], make_ctx(), ERRORS))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stuck.stats.errors == 0


async def test_an_open_gate_passes_over_who_fails_or_is_late_and_hears_the_others(
    make_ctx, monkeypatch: pytest.MonkeyPatch
) -> None:
    no = Reject(429, "too many")
    calls = [call("bad", raises=ValueError("x")), call("no", no)]
    assert await gates.any_objection_heard(calls, make_ctx()) is no
    monkeypatch.setattr(gates, "STAGE_SECONDS", 0.02)
    assert await gates.any_objection_heard([call("stuck", waits=True)], make_ctx()) is None


async def test_the_log_of_a_failure_shows_no_credential_of_the_request(make_ctx) -> None:
    ctx = make_ctx({"authorization": "Bearer opaque-token-1234"})
    with structlog.testing.capture_logs() as lines:
        gates.failed(call("leaky"), ctx, ValueError("bad token opaque-token-1234"))
    (line,) = lines
    assert "opaque-token-1234" not in repr(line)
    assert (line["plugin"], line["hook"], line["request_id"]) == ("leaky", "guard_request", "req-1")


def test_a_refusal_becomes_the_error_that_its_client_sees() -> None:
    error = gates.refusal(Reject(429, "slow", type="t", param="p", code="c", retry_after=1.5, headers={"x-a": "b"}))
    assert (error.status, error.message, error.type, error.param, error.code) == (429, "slow", "t", "p", "c")
    assert error.headers == {"x-a": "b", "retry-after": "1.5"}
    told = gates.refusal(Reject(429, "slow", retry_after=1.5, headers={"retry-after": "9"}))
    assert told.headers == {"retry-after": "9"}


def test_what_only_changes_texts_fills_no_record_and_every_refusal_is_in_it(make_ctx) -> None:
    ctx = make_ctx()
    for _ in range(MOST_NOTED + 10):
        gates.ruled(Call("p", "d", "guard_tool_result", print), ctx, Replace({}, "masked"))
    gates.ruled(Call("p", "d", "guard_tool_result", print), ctx, Reject(400, "no"))
    assert len(ctx.rulings) == MOST_NOTED + 1
    assert ctx.rulings[-1].action == "reject"
