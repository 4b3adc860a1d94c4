"""Calling the plugins of a gate: in order, with one deadline a stage, and each failure handled as its hook says.

What the gates are and in which order they stand is written in `pipeline`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import structlog

from routeiq.errors import Errors
from routeiq.plugins.compiled import Call
from routeiq_sdk import Context, Reject, RequestError

log = structlog.get_logger("routeiq.gates")

STAGE_SECONDS = 30.0


async def ask(call: Call, *args: Any) -> Any:
    """Call one async hook and account for its time."""
    started = time.perf_counter_ns()
    try:
        return await call.function(*args)
    finally:
        call.stats.add(time.perf_counter_ns() - started)


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
    log.error(
        "plugin failed",
        plugin=call.plugin,
        hook=call.hook,
        request_id=ctx.request_id if ctx is not None else None,
        error=type(error).__name__,
        detail=str(error),
    )


async def first_answer(calls: Sequence[Call], ctx: Context, errors: Errors, *args: Any) -> Any:
    """Ask in order; the first answer that is not `None` ends it. A failure refuses the request."""
    async with _stage(calls, errors):
        for call in calls:
            try:
                answer = await ask(call, ctx, *args)
            except RequestError:
                raise
            except Exception as error:
                failed(call, ctx, error)
                raise errors.plugin_failed(call.plugin, call.hook) from None
            if answer is not None:
                return answer
    return None


async def any_objection(
    calls: Sequence[Call], ctx: Context, errors: Errors, *args: Any, closed: bool = True
) -> Reject | None:
    """Ask all in order; the first `Reject` ends it. A failure refuses, or is passed over when `closed` is false."""
    async with _stage(calls, errors):
        for call in calls:
            try:
                answer = await ask(call, ctx, *args)
            except RequestError:
                raise
            except Exception as error:
                failed(call, ctx, error)
                if closed:
                    raise errors.plugin_failed(call.plugin, call.hook) from None
                continue
            if isinstance(answer, Reject):
                return answer
    return None


class _stage:
    """One deadline for all plugins of a gate."""

    __slots__ = ("_calls", "_errors", "_timeout")

    def __init__(self, calls: Sequence[Call], errors: Errors) -> None:
        self._calls = calls
        self._errors = errors
        self._timeout = asyncio.timeout(STAGE_SECONDS)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            raise self._errors.plugin_failed("+".join(call.plugin for call in self._calls), "deadline") from None


def refusal(reject: Reject) -> RequestError:
    """A plugin's rejection as the error its client sees."""
    headers = dict(reject.headers)
    if reject.retry_after is not None:
        headers.setdefault("retry-after", f"{reject.retry_after:g}")
    return RequestError(
        reject.status, reject.message, type=reject.type, param=reject.param, code=reject.code, headers=headers
    )
