"""Calling the plugins of a gate: in order, with one deadline a stage, and each failure handled as its hook says.

What the gates are and in which order they stand is written in `pipeline`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any

import structlog

from routeiq.errors import Errors
from routeiq.plugins.compiled import Call
from routeiq.request.auth import conceal
from routeiq.wires.body import Malformed
from routeiq_sdk import Context, Event, Reject, Replace, RequestError, Ruling, Stop

log = structlog.get_logger("routeiq.gates")

STAGE_SECONDS = 30.0


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
    answer = await ask(call, ctx, *args)
    if isinstance(answer, Reject | Replace | Stop):
        ruled(call, ctx, answer)
    return answer


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
        except TimeoutError:
            error = TimeoutError(f"no answer within the {STAGE_SECONDS:g} s of its stage")
        if isinstance(error, Exception) and not isinstance(error, RequestError | Malformed):
            failed(self._current, self._ctx, error)
            raise self._errors.plugin_failed(self._current.plugin, self._current.hook) from None


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


def ruled(call: Call, ctx: Context, objection: Reject | Replace | Stop) -> None:
    """Note for the record what a plugin objected."""
    if isinstance(objection, Reject):
        ruling = Ruling(call.hook, call.plugin, "reject", objection.status, objection.type)
    elif isinstance(objection, Stop):
        ruling = Ruling(call.hook, call.plugin, "stop", 0, objection.type)
    else:
        ruling = Ruling(call.hook, call.plugin, "replace", 0, objection.reason)
    ctx.rulings.append(ruling)


def refusal(reject: Reject) -> RequestError:
    """A plugin's rejection as the error its client sees."""
    headers = dict(reject.headers)
    if reject.retry_after is not None:
        headers.setdefault("retry-after", f"{reject.retry_after:g}")
    return RequestError(
        reject.status, reject.message, type=reject.type, param=reject.param, code=reject.code, headers=headers
    )
