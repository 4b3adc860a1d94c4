"""The road of a tool call: permit, guard, reserve, run, guard the result, settle, record.

How a tool is reached is its protocol adapter's business; which request carried the call is `pipeline`'s.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import orjson
import rfc8785

from routeiq.errors import Errors
from routeiq.plugins.compiled import Pipeline
from routeiq.request import gates
from routeiq.request.services import Commit
from routeiq.telemetry.background import Background
from routeiq_sdk import Context, Event, RequestError
from routeiq_sdk.events import ToolCallV1
from routeiq_sdk.events.contract import moment
from routeiq_sdk.events.of_record import guard_of
from routeiq_sdk.values.tools import ToolCall, ToolDefinition, ToolResult
from routeiq_sdk.values.trace import new_span_id

Outcome = Literal["ok", "tool_error", "refused", "failed", "timeout"]
Run = Callable[[ToolCall], Awaitable[ToolResult]]

_NUMBER = "routeiq.request.tool_road"


def _uncounted(server: str, outcome: Outcome, milliseconds: float | None) -> None:
    """Where no live view counts calls."""


class ToolRoad:
    """Implements the SDK's `ToolService` for one runtime."""

    def __init__(
        self,
        pipeline: Pipeline,
        errors: Errors,
        commit: Commit,
        emit: Callable[[Event], None],
        background: Background,
        count: Callable[[str, Outcome, float | None], None] = _uncounted,
    ) -> None:
        self._pipeline = pipeline
        self._errors = errors
        self._commit = commit
        self._emit = emit
        self._background = background
        self._count = count
        self._told = bool(pipeline.commit or pipeline.emit)

    async def permitted(
        self,
        ctx: Context,
        protocol: str,
        server: str,
        tools: Sequence[str],
        *,
        aliases: frozenset[str] = frozenset(),
        groups: frozenset[str] = frozenset(),
    ) -> frozenset[str]:
        """Those of `tools` that every plugin lets the caller use."""
        allowed = frozenset(tools)
        if not self._pipeline.permitted_tools:
            return allowed
        async with gates.Stage(self._pipeline.permitted_tools, ctx, self._errors) as stage:
            for call in stage:
                answer = await gates.verdict(call, ctx, protocol, server, tools, aliases, groups)
                if answer is not None:
                    allowed &= frozenset(answer)
        return allowed

    async def guard_definition(self, ctx: Context, definition: ToolDefinition) -> Mapping[str, Any]:
        """The definition as the guards leave it. Raises `RequestError`."""
        calls = self._pipeline.guard_tool_definition
        passed = await gates.guarded(
            calls, ctx, self._errors, definition, lambda told, body: replace(told, definition=body)
        )
        return passed.definition

    async def call(self, ctx: Context, call: ToolCall, run: Run) -> ToolResult:
        """Walk a call to its end. Raises `RequestError` for a refusal, and what `run` raised."""
        number = (ctx.kept(_NUMBER, int) or 0) + 1
        ctx.keep(_NUMBER, number)
        walk = _Walk(f"{ctx.request_id}-tool-{number}", call, time.time_ns(), time.perf_counter(), len(ctx.rulings))
        try:
            result = await self._walk(ctx, walk, run)
        except asyncio.CancelledError:
            await self._tell(ctx, walk, "failed", "Cancelled", wait=False)
            raise
        except TimeoutError:
            await self._tell(ctx, walk, "timeout", "TimeoutError")
            raise
        except RequestError as error:
            await self._tell(ctx, walk, "failed" if walk.called is not None else "refused", error.type)
            raise
        except Exception as error:
            await self._tell(ctx, walk, "failed", type(error).__name__)
            raise
        await self._tell(
            ctx, walk, "tool_error" if result.is_error else "ok", "tool_error" if result.is_error else None
        )
        return result

    async def _walk(self, ctx: Context, walk: _Walk, run: Run) -> ToolResult:
        call = walk.call
        asked = (call.tool,)
        if call.tool not in await self.permitted(
            ctx, call.protocol, call.server, asked, aliases=call.aliases, groups=call.groups
        ):
            raise RequestError(
                403,
                f"you may not call the tool {call.tool!r} of {call.server!r}",
                type="tool_access_denied",
                param="name",
                code="tool_access_denied",
            )
        walk.call = call = await self.guard_call(ctx, call)
        if call.answers:
            walk.call = call = await self.guard_answers(ctx, call)
        if self._pipeline.reserve_tool_call:
            walk.reserved = True
            reject = await gates.any_objection(self._pipeline.reserve_tool_call, ctx, self._errors, call, walk.id)
            if reject is not None:
                raise gates.refusal(reject)
        try:
            walk.called = time.perf_counter()
            result = await run(call)
        finally:
            walk.ended = time.perf_counter()
        return await self.guard_result(ctx, call, result)

    async def guard_call(self, ctx: Context, call: ToolCall) -> ToolCall:
        """A call with its arguments as the guards leave them. Raises `RequestError`."""
        calls = self._pipeline.guard_tool_call
        return await gates.guarded(calls, ctx, self._errors, call, lambda asked, body: replace(asked, arguments=body))

    async def guard_answers(self, ctx: Context, call: ToolCall) -> ToolCall:
        """A call with its answers as the guards leave them. Raises `RequestError`."""
        told = await self.guard_call(ctx, replace(call, arguments=call.answers, answers={}))
        return replace(call, answers=told.arguments)

    async def guard_result(self, ctx: Context, call: ToolCall, result: ToolResult) -> ToolResult:
        """A result as the guards leave it. Raises `RequestError`."""
        calls = self._pipeline.guard_tool_result
        return await gates.guarded(
            calls, ctx, self._errors, result, lambda given, body: replace(given, content=body), call
        )

    async def _tell(self, ctx: Context, walk: _Walk, outcome: Outcome, kind: str | None, *, wait: bool = True) -> None:
        """Settle and record. Raises `RequestError` when a record that must be durable could not be written."""
        if walk.reserved:
            self._background.spawn(f"settle {walk.id}", lambda: self._settle(ctx, walk, outcome))
        self._count(walk.call.server, outcome, walk.milliseconds if walk.called is not None else None)
        if not self._told:
            return
        self._tell_guards(ctx, walk)
        event = _event(ctx, walk, outcome, kind).event(walk.at)
        if wait:
            await self._commit(event, ctx)
        else:
            self._background.spawn(f"record {walk.id}", lambda: self._commit(event, ctx))

    def _tell_guards(self, ctx: Context, walk: _Walk) -> None:
        """What guards objected to; of a request for a model its own record tells that."""
        if ctx.asked is not None:
            return
        principal = ctx.identified
        for number, ruling in enumerate(ctx.rulings[walk.rulings :], start=1):
            told = guard_of(
                ruling,
                event_id=f"{walk.id}-guard-{number}",
                at=walk.at,
                request_id=ctx.request_id,
                trace_id=ctx.trace.trace_id,
                principal=principal.id if principal is not None else None,
                team=principal.team if principal is not None else None,
            )
            if told is not None:
                self._emit(told.event(walk.at))

    async def _settle(self, ctx: Context, walk: _Walk, outcome: Outcome) -> None:
        told = (walk.call, walk.id, walk.called is not None, outcome)
        await asyncio.gather(*(gates.ask_until_done(call, ctx, *told) for call in self._pipeline.settle_tool_call))


class _Walk:
    """How far one call has come."""

    __slots__ = ("at", "call", "called", "ended", "id", "reserved", "rulings", "started")

    def __init__(self, id: str, call: ToolCall, at: int, started: float, rulings: int) -> None:
        self.id = id
        self.call = call
        self.at = at
        self.started = started
        self.ended: float | None = None
        self.rulings = rulings
        self.reserved = False
        self.called: float | None = None

    @property
    def milliseconds(self) -> float:
        """From the call to its end, or until now."""
        ended = self.ended if self.ended is not None else time.perf_counter()
        return round((ended - self.started) * 1000, 3)


def _event(ctx: Context, walk: _Walk, outcome: Outcome, kind: str | None) -> ToolCallV1:
    call, principal, trace = walk.call, ctx.identified, ctx.trace
    ended = walk.ended if walk.ended is not None else time.perf_counter()
    return ToolCallV1(
        event_id=walk.id,
        timestamp_utc=moment(walk.at),
        request_id=ctx.request_id,
        trace_id=trace.trace_id,
        protocol=call.protocol,  # type: ignore[arg-type]
        server=call.server,
        tool=call.tool,
        argument_names=tuple(sorted(str(name) for name in call.arguments)),
        arguments_sha256=hashlib.sha256(_canonical(call.arguments)).hexdigest(),
        outcome=outcome,
        error_type=kind,
        latency_ms=walk.milliseconds,
        principal=principal.id if principal is not None else None,
        user=principal.user if principal is not None else None,
        team=principal.team if principal is not None else None,
        key_alias=principal.alias if principal is not None else None,
        upstream_ms=round((ended - walk.called) * 1000, 3) if walk.called is not None else None,
        cost=call.price if walk.called is not None else 0,
        action=ctx.action or None,
        span_id=new_span_id(),
        parent_span_id=trace.span_id if ctx.asked is not None else trace.parent_span_id,
        sampled=trace.sampled,
        attributes={**call.attributes, **call.learned},
    )


def _canonical(arguments: Mapping[str, Any]) -> bytes:
    try:
        canonical: bytes = rfc8785.dumps(dict(arguments))
        return canonical
    except (rfc8785.CanonicalizationError, RecursionError):  # an integer beyond 2^53 has no canonical form
        return orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS, default=str)
