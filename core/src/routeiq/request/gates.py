"""Calling the plugins of a gate: in order, with one deadline a stage, and each failure handled as its hook says.

What the gates are and in which order they stand is written in `pipeline`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import structlog

from routeiq import known_secrets
from routeiq.errors import Errors
from routeiq.plugins.compiled import Call
from routeiq.request.auth import conceal
from routeiq.wires.body import Malformed
from routeiq_sdk import Context, Event, Principal, Reject, Replace, RequestError, Ruling, Stop
from routeiq_sdk.values.verdict import MOST_NOTED

log = structlog.get_logger("routeiq.gates")

V = TypeVar("V")

STAGE_SECONDS = 30.0
_TRIES = 6
_PAUSE_SECONDS = 0.1
_ANSWERS: Mapping[str, tuple[type, ...]] = {
    "authenticate": (Principal, Reject),
    "authorize_action": (bool, Reject),
    "authorize": (Reject,),
    "authorize_target": (Reject,),
    "guard_request": (Replace, Reject),
    "guard_during": (Reject,),
    "guard_response": (Replace, Reject),
    "reserve": (Reject,),
    "permitted_tools": (Collection,),
    "guard_tool_definition": (Replace, Reject),
    "guard_tool_call": (Replace, Reject),
    "guard_tool_result": (Replace, Reject),
    "reserve_tool_call": (Reject,),
    "before_attempt": (Reject,),
}
"""What a plugin may say at a closed gate, beside `None`."""


def deadline() -> float:
    """When a stage that begins now must be over, on the event loop's clock."""
    return asyncio.get_running_loop().time() + STAGE_SECONDS


async def ask(call: Call, *args: Any) -> Any:
    """Call one async hook and account for its time."""
    started = time.perf_counter_ns()
    try:
        return await call.function(*args)
    finally:
        call.stats.add(time.perf_counter_ns() - started)


async def verdict(call: Call, ctx: Context, *args: Any) -> Any:
    """`ask` a hook that may object, and note its objection for the record."""
    answer = understood(call, await ask(call, ctx, *args))
    if isinstance(answer, Reject | Replace | Stop):
        ruled(call, ctx, answer)
    return answer


def understood(call: Call, answer: Any) -> Any:
    """`answer`, if its hook may give it. Raises `TypeError`: a closed gate does not take a `False`, or a word, for a
    yes."""
    known = _ANSWERS.get(call.hook)
    if answer is None or known is None or (isinstance(answer, known) and answer is not False):
        return answer
    raise TypeError(f"{call.hook} may not return {type(answer).__name__}; to refuse, return Reject")


async def ask_until(until: float, call: Call, *args: Any) -> Any:
    """`ask` within a stage's deadline. Raises `TimeoutError` beside what the plugin raises."""
    async with asyncio.timeout_at(until):
        return await ask(call, *args)


def ask_now(call: Call, *args: Any) -> Any:
    """Call one synchronous hook and account for its time."""
    started = time.perf_counter_ns()
    try:
        return call.function(*args)
    finally:
        call.stats.add(time.perf_counter_ns() - started)


def failed(call: Call, ctx: Context | None, error: BaseException) -> None:
    """Count and log a plugin's failure. The text stays in our log; clients only learn the plugin's name."""
    call.stats.errors += 1
    if ctx is not None:
        ctx.rulings.append(Ruling(call.hook, call.plugin, "fail", 0, type(error).__name__))
    log.error(
        "plugin failed",
        plugin=call.plugin,
        hook=call.hook,
        request_id=ctx.request_id if ctx is not None else None,
        error=type(error).__name__,
        detail=conceal(str(error), ctx.headers) if ctx is not None else str(error),
    )


class Stage:
    """`async with Stage(calls, ctx, errors) as stage: for call in stage: ...`, for gates that are closed.

    One deadline holds for all calls. Whatever a plugin raises, or its lateness, refuses the request in its name.
    """

    __slots__ = ("_calls", "_ctx", "_current", "_errors", "_timeout")

    def __init__(self, calls: Sequence[Call], ctx: Context | None, errors: Errors) -> None:
        self._calls = calls
        self._ctx = ctx
        self._errors = errors
        self._current = calls[0]
        self._timeout = asyncio.timeout(STAGE_SECONDS)

    def __iter__(self) -> Iterator[Call]:
        for call in self._calls:
            self._current = call
            yield call

    async def __aenter__(self) -> Stage:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)
            late = error is None and self._timeout.expired()  # a plugin took the deadline's cancellation for its own
        except TimeoutError:
            late = True
        if late:
            error = TimeoutError(f"no answer within the {STAGE_SECONDS:g} s of its stage")
        elif isinstance(error, asyncio.CancelledError) and not _is_cancelled():
            error = RuntimeError("it raised CancelledError although nobody cancelled the request")
        if isinstance(error, Exception) and not isinstance(error, RequestError | Malformed):
            failed(self._current, self._ctx, error)
            raise self._errors.plugin_failed(self._current.plugin, self._current.hook) from None


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


async def first_answer(calls: Sequence[Call], ctx: Context, errors: Errors) -> Any:
    """Ask in order; the first answer that is not `None` ends it. A failure refuses the request."""
    async with Stage(calls, ctx, errors) as stage:
        for call in stage:
            answer = await verdict(call, ctx)
            if answer is not None:
                return answer
    return None


async def any_objection(calls: Sequence[Call], ctx: Context, errors: Errors, *args: Any) -> Reject | None:
    """Ask all in order; the first `Reject` ends it. A failure refuses the request."""
    async with Stage(calls, ctx, errors) as stage:
        for call in stage:
            answer = await verdict(call, ctx, *args)
            if isinstance(answer, Reject):
                return answer
    return None


async def guarded(
    calls: Sequence[Call],
    ctx: Context,
    errors: Errors,
    value: V,
    put: Callable[[V, Mapping[str, Any]], V],
    *before: Any,
) -> V:
    """`value` as the guards leave it: each is asked in order, after `before`, and sees what earlier ones replaced, as
    `put` makes it of their body. A failure refuses the request. Raises `RequestError` when one rejects."""
    if calls:
        async with Stage(calls, ctx, errors) as stage:
            for call in stage:
                answer = await verdict(call, ctx, *before, value)
                if isinstance(answer, Reject):
                    raise refusal(answer)
                if isinstance(answer, Replace):
                    value = put(value, answer.body)
    return value


async def ask_until_done(call: Call, ctx: Context, *args: Any) -> None:
    """Ask a hook whose failure is tried again, each time after a longer pause, until the tries are used up."""
    for number in range(_TRIES):
        try:
            await ask_until(deadline(), call, ctx, *args)
        except Exception as error:
            failed(call, ctx, error)
            await asyncio.sleep(_PAUSE_SECONDS * 2**number)
        else:
            return


async def any_objection_heard(calls: Sequence[Call], ctx: Context) -> Reject | None:
    """`any_objection` for a gate that is open: a plugin that fails or is late is passed over."""
    until = deadline()
    for call in calls:
        try:
            async with asyncio.timeout_at(until):
                answer = await verdict(call, ctx)
        except RequestError:
            raise
        except Exception as error:
            failed(call, ctx, error)
            continue
        if isinstance(answer, Reject):
            return answer
    return None


async def commit(calls: Sequence[Call], event: Event, errors: Errors, ctx: Context | None = None) -> None:
    """Have an event made durable by all who commit. Raises `RequestError` when one of them could not."""
    if calls:
        async with Stage(calls, ctx, errors) as stage:
            for call in stage:
                await ask(call, event)


def challenges(calls: Sequence[Call], ctx: Context, error: RequestError) -> dict[str, str]:
    """Headers that tell a refused caller how to come in. A plugin that fails adds none."""
    told: dict[str, str] = {}
    if error.status in (401, 403):
        for call in calls:
            try:
                told.update(ask_now(call, ctx, error) or {})
            except Exception as failure:
                failed(call, ctx, failure)
    return told


def ruled(call: Call, ctx: Context, objection: Reject | Replace | Stop) -> None:
    """Note for the record what a plugin objected."""
    if isinstance(objection, Reject):
        ruling = Ruling(call.hook, call.plugin, "reject", objection.status, objection.type)
    elif isinstance(objection, Stop):
        ruling = Ruling(call.hook, call.plugin, "stop", 0, objection.type)
    else:
        if len(ctx.rulings) >= MOST_NOTED:
            return  # a server that talks all the time has every word looked at, and fills no memory
        ruling = Ruling(call.hook, call.plugin, "replace", 0, objection.reason)
    ctx.rulings.append(ruling)


def refusal(reject: Reject) -> RequestError:
    """A plugin's rejection as the error its client sees."""
    headers = dict(reject.headers)
    if reject.retry_after is not None:
        headers.setdefault("retry-after", f"{reject.retry_after:g}")
    return RequestError(
        reject.status,
        known_secrets.conceal(reject.message),
        type=reject.type,
        param=reject.param,
        code=reject.code,
        headers=headers,
    )
