"""Gives the client its answer: whole, as a stream, or as an error; reads usage and cost on the way.

It decides nothing: what to answer was settled before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import orjson

from routeiq.errors import UpstreamError
from routeiq.limits.reading import ClientGone
from routeiq.request import frames, gates, translation
from routeiq.request.answer_headers import NO_STORE, RawHeaders, line, usd
from routeiq.request.attempts import Served
from routeiq.request.loop_stream import LoopStream
from routeiq.request.metering import Metered, Metering
from routeiq.request.plan import Plan
from routeiq.request.relay import Passed, Relay
from routeiq.request.services import Services
from routeiq.request.stream_guard import Stopped, StreamGuard, WatchedFilter
from routeiq.request.tool_loop import Asked
from routeiq.surfaces.base import Surface
from routeiq.upstream.base import Whole
from routeiq.wires.body import Body, Malformed, as_raw, read_fields, value_of, write_fields
from routeiq.wires.reading import Untranslatable
from routeiq.wires.text import estimate_tokens
from routeiq_sdk import Context, RequestError, Usage

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_JSON = (b"content-type", b"application/json")
_STREAM = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


_STREAM_BYTES_A_TOKEN = 24
"""An event carries about one token in some hundred bytes of frame; this guesses high, and only where no usage was
told."""


class Delivery:
    """The answer of one request."""

    def __init__(self, ctx: Context, surface: Surface, services: Services, send: Send) -> None:
        self._ctx = ctx
        self._surface = surface
        self._services = services
        self._send = send
        self._started = False
        self._ending = False
        self._passed: Passed | None = None
        self.complete = False
        self.status = 200
        self.overhead_ms: float | None = None

    def ending(self) -> bool:
        """Whether the last of the answer is on its way to the client."""
        return self._ending or (self._passed is not None and self._passed.ended)

    async def pass_on(self, served: Served, body: Body, plan: Plan) -> None:
        """Send the reply. Raises `RequestError` when it cannot be, before or in the middle of a stream."""
        if isinstance(served.reply, Whole):
            await self._whole(served, served.reply, body, plan)
        else:
            await self._stream(served, body, plan)

    def converse(self, body: Body) -> LoopStream | None:
        """The stream of a tool loop, if the client asked for one; it begins with the first word of the model."""
        if not body.stream:
            return None

        async def send(block: bytes) -> None:
            if not self._started:
                await self._head(200, [*_STREAM, *self._services.headers.base(self._ctx)])
            await self._body(block)

        return LoopStream(self._surface.writer(body.shown), body.shown, send)

    async def conclude(self, asked: Asked, body: Body, stream: LoopStream | None) -> None:
        """Send what a tool loop came to: whole, or what its stream has not told yet. Its rounds were guarded,
        accounted and recorded as requests of their own."""
        if stream is not None:
            await stream.end(asked.answer, with_usage=_wants_usage(body))
            await self._body(b"", more=False)
            self.complete = True
            return
        headers = self._services.headers.base(self._ctx)
        if asked.cost is not None:
            headers.append((b"x-litellm-response-cost", usd(asked.cost).encode()))
        await self._answer(200, headers, orjson.dumps(self._surface.answer(dict(asked.answer), body.shown)))

    async def explain(self, plan: Plan) -> None:
        """Tell the client which model would be called, and why, as one JSON object."""
        ctx = self._ctx
        headers = self._services.headers.base(ctx)
        assert ctx.decision_id is not None
        headers.append((b"x-routeiq-decision-id", ctx.decision_id.encode()))
        told = {
            "decision_id": ctx.decision_id,
            "requested_model": ctx.request.model,
            "model": plan.ranked[0].name,
            "ranked": [group.name for group in plan.ranked],
            "decision": ctx.decision,
            "reason": ctx.decision.reason if ctx.decision is not None else "a concrete model is honoured",
        }
        await self._answer(200, headers, orjson.dumps(told))

    async def fail(self, error: RequestError) -> None:
        """Tell the client about an error: as an answer, or as the last event of a stream that has begun."""
        profile = self._services.errors.profile
        if self._started:
            self.complete = True
            await self._body(self._surface.stream_error(error, profile), more=False)
            return
        self.status = error.status
        headers = self._services.headers.base(self._ctx)
        if self._ctx.decision_id is not None:
            headers.append((b"x-routeiq-decision-id", self._ctx.decision_id.encode()))
        headers.append((b"x-litellm-response-cost", b"0"))
        headers += [line(name, value) for name, value in error.headers.items()]
        await self._answer(error.status, headers, self._surface.error(error, profile))

    async def _whole(self, served: Served, reply: Whole, body: Body, plan: Plan) -> None:
        ctx = self._ctx
        upstream_ms = served.upstream_ms
        usage: Usage | None = None
        try:
            served.finish_reason = frames.whole_reason(reply.wire, reply.body)
            if reply.wire == self._surface.wire:
                fields = read_fields(reply.body)
                raw = fields.get("id")
                served.response_id = _text(value_of(raw)) if raw is not None else None
                raw = fields.get("usage")
                usage = self._surface.usage(value_of(raw)) if raw is not None else None
                if "model" in fields:
                    fields["model"] = as_raw(body.shown)
                out = write_fields(fields)
            else:
                document = translation.whole_answer(reply.body, reply.wire, self._surface, body.shown)
                usage = self._surface.usage(document.get("usage"))
                served.response_id = _text(document.get("id"))
                out = orjson.dumps(document)
            if usage is None and self._surface.wire != "anthropic-count-tokens":
                usage = _guessed(body, estimate_tokens(out))
            self._account(served, usage)
            out = await self._guarded(out)
        except (Untranslatable, ValueError, KeyError, TypeError, AttributeError) as error:
            broken = UpstreamError(
                "garbage", 200, "BadGatewayError", "the provider's answer has not the shape it should have"
            )
            await self._services.attempts.finished(ctx, served, usage, broken)
            raise self._services.errors.upstream(broken, plan.ranked[0].name, None) from error
        except BaseException:
            await self._services.attempts.finished(ctx, served, usage, None)
            raise
        await self._services.attempts.finished(ctx, served, usage, None)
        headers = self._served_headers(served, plan, upstream_ms, reply.headers)
        await self._answer(200, headers, out)
        self.overhead_ms = max(0.0, ctx.elapsed_ms() - upstream_ms)

    async def _guarded(self, out: bytes) -> bytes:
        guards = self._services.pipeline.guard_response
        if not guards:
            return out
        document = orjson.loads(out)
        passed = await gates.guarded(
            guards, self._ctx, self._services.errors, document, lambda _, body: orjson.loads(orjson.dumps(dict(body)))
        )
        return out if passed is document else orjson.dumps(passed)

    async def _stream(self, served: Served, body: Body, plan: Plan) -> None:
        stream = served.reply
        assert not isinstance(stream, Whole)
        ctx, services = self._ctx, self._services
        try:
            guard = self._stream_guard()
            meter = self._stream_meter(stream.wire)
        except RequestError:
            await services.attempts.abandon(ctx, served)
            raise
        relay = Relay(
            stream,
            self._surface,
            served.deployment,
            body.shown,
            wants_usage=_wants_usage(body),
            tell_cost=services.tell_stream_cost,
            guard=guard,
            meter=meter,
        )
        self._passed = relay.passed
        overhead = ctx.elapsed_ms() - served.upstream_ms
        failure: UpstreamError | None = None
        try:
            await self._head(200, [*_STREAM, *self._served_headers(served, plan, served.upstream_ms, stream.headers)])
            await relay.run(self._body)
            await self._body(b"", more=False)
            self.complete = True
            await relay.drain()
        except UpstreamError as error:
            failure = error
            raise services.errors.upstream(error, plan.ranked[0].name, None) from error
        except Stopped as stopped:
            failure = UpstreamError("cancelled", 0, "Cancelled", "the stream was ended by a plugin")
            raise RequestError(400, stopped.stop.reason, type=stopped.stop.type) from None
        except (asyncio.CancelledError, ClientGone):
            failure = UpstreamError("cancelled", 0, "Cancelled", "the client went away")
            raise
        finally:
            await stream.close()
            written = relay.passed.sent // _STREAM_BYTES_A_TOKEN if meter is None else meter.written
            usage = relay.passed.usage or _guessed(body, written)
            served.response_id = relay.passed.response_id
            served.finish_reason = relay.passed.finish_reason
            self._account(served, usage)
            self.overhead_ms = max(0.0, overhead)
            await services.attempts.finished(ctx, served, usage, failure)

    def _stream_guard(self) -> StreamGuard | None:
        pipeline = self._services.pipeline
        if not (pipeline.stream_filter or pipeline.stream_part_filter):
            return None
        ctx, errors = self._ctx, self._services.errors

        def make(part: str) -> Sequence[WatchedFilter]:
            answers_text = part == "text"
            arguments = (ctx,) if answers_text else (ctx, part)
            found: list[WatchedFilter] = []
            for call in pipeline.stream_filter if answers_text else pipeline.stream_part_filter:
                try:
                    item = gates.ask_now(call, *arguments)
                except Exception as error:
                    gates.failed(call, ctx, error)
                    raise errors.plugin_failed(call.plugin, call.hook) from None
                if item is not None:
                    found.append(WatchedFilter(item, call, ctx, errors))
            return found

        return StreamGuard(make, self._surface.wire)

    def _stream_meter(self, wire: str) -> Metering | None:
        ctx, found = self._ctx, list[Metered]()
        for call in self._services.pipeline.meter_stream:
            try:
                meter = gates.ask_now(call, ctx)
            except Exception as error:
                gates.failed(call, ctx, error)
                raise self._services.errors.plugin_failed(call.plugin, call.hook) from None
            if meter is not None:
                found.append(Metered(meter, call))
        return Metering(found, wire, ctx, self._services.errors) if found else None

    def _account(self, served: Served, usage: Usage | None) -> None:
        ctx, price = self._ctx, served.deployment.price
        ctx.usage = usage
        if price is not None and usage is not None:
            ctx.cost = price.cost(usage)
            ctx.price_version = price.version

    def _served_headers(self, served: Served, plan: Plan, upstream_ms: float, provider: Any) -> RawHeaders:
        return self._services.headers.served(
            self._ctx,
            served.deployment,
            api_base=self._services.api_base(served.deployment),
            attempts=served.number,
            fallbacks=served.fallbacks,
            max_retries=plan.num_retries,
            timeout=served.timeout,
            upstream_ms=upstream_ms,
            provider=provider,
        )

    async def _answer(self, status: int, headers: RawHeaders, body: bytes) -> None:
        await self._head(status, [_JSON, NO_STORE, (b"content-length", b"%d" % len(body)), *headers])
        await self._body(body, more=False)
        self.complete = True

    async def _head(self, status: int, headers: RawHeaders) -> None:
        self._started = True
        headers += [line(name, value) for name, value in self._ctx.answer_headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _body(self, block: bytes, more: bool = True) -> None:
        self._ending = self._ending or not more
        await self._send({"type": "http.response.body", "body": block, "more_body": more})


def _text(told: object) -> str | None:
    return told[: frames.LONGEST_ID] if isinstance(told, str) and told else None


def _guessed(body: Body, output_tokens: int) -> Usage:
    try:
        asked = estimate_tokens(body.text())
    except Malformed:  # passed on unread, and the provider could make sense of it
        asked = estimate_tokens(write_fields(body.fields))
    return Usage(asked, output_tokens, estimated=True)


def _wants_usage(body: Body) -> bool:
    if body.wire == "anthropic-messages":
        return True
    options = body.param("stream_options") if "stream_options" in body.fields else None
    return isinstance(options, dict) and options.get("include_usage") is True
