"""The road of a request, top to bottom: admit, authenticate, authorize, guard, route, reserve, attempt, stream,
settle, record.

`Road.walk` is the one function to read; each gate is a short method below it. With no plugin at a gate, the gate is
not there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from routeiq.limits.reading import ClientGone, Receive, TooLarge, TooSlow, read_body
from routeiq.request import gates, nested, tool_loop
from routeiq.request.attempts import Served
from routeiq.request.client_watch import ClientWatch
from routeiq.request.context import RequestContext
from routeiq.request.delivery import Delivery, Send
from routeiq.request.plan import Plan, make_plan
from routeiq.request.record import make_record
from routeiq.request.services import Services
from routeiq.request.tags import request_tags
from routeiq.request.understanding import check_guardrails, understand
from routeiq.surfaces.base import Surface
from routeiq.wires.body import Body, Malformed, Raw, read_fields
from routeiq.wires.depth import too_deep
from routeiq_sdk import Context, ModelGroup, Principal, Reject, Replace, RequestError
from routeiq_sdk.events.of_record import admission_of
from routeiq_sdk.values.tools import Toolbox

log = structlog.get_logger("routeiq.request")

CLIENT_GONE = 499
_WHO = frozenset({"authenticate", "permit"})
"""Stages whose refusals are told to `commit` hooks: who tried to come in, and what they may not do."""


@dataclass(slots=True)
class Journey:
    """What has become of one request so far."""

    delivery: Delivery
    reserved: bool = False
    gone: bool = False
    error: RequestError | None = None


class Road:
    """Walks requests down the road, with the services of one runtime."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._pipeline = services.pipeline
        self._errors = services.errors

    async def walk(
        self, ctx: RequestContext, surface: Surface, receive: Receive, send: Send, *, asked_model: str | None = None
    ) -> None:
        """Serve a client's request to its end. Every way out leaves one record."""
        async with self._journey(ctx, surface, send) as journey:
            await self._admit(ctx)
            ctx.identify(await self.identify(ctx))
            await self.permit(ctx)
            fields = await self._read(ctx, receive)
            async with ClientWatch(receive, journey.delivery.ending):
                await self._on_from_the_body(ctx, surface, fields, asked_model, journey)

    async def explain(self, ctx: RequestContext, surface: Surface, receive: Receive, send: Send) -> None:
        """Walk a client's request up to the choice of its model, and answer with that choice instead of calling it."""
        async with self._journey(ctx, surface, send) as journey:
            await self._admit(ctx)
            ctx.identify(await self.identify(ctx))
            await self.permit(ctx)
            body = self._understand(ctx, surface, await self._read(ctx, receive), None)
            await self._authorize(ctx, body)
            body = await self._guard(ctx, body)
            plan = await self._route(ctx, body)
            await journey.delivery.explain(plan)

    async def serve(self, ctx: RequestContext, surface: Surface, fields: dict[str, Raw], send: Send) -> None:
        """Serve a nested call, whose caller is known and whose body is here, from authorize to settle."""
        async with self._journey(ctx, surface, send) as journey:
            await self._on_from_the_body(ctx, surface, fields, None, journey)

    async def refuse(self, ctx: RequestContext, surface: Surface, send: Send, error: RequestError) -> None:
        """Turn a request away at the door. It leaves a record like any other."""
        async with self._journey(ctx, surface, send):
            raise error

    async def _on_from_the_body(
        self, ctx: RequestContext, surface: Surface, fields: dict[str, Raw], asked_model: str | None, journey: Journey
    ) -> None:
        body = self._understand(ctx, surface, fields, asked_model)
        await self._authorize(ctx, body)
        if self._pipeline.open_tools and tool_loop.may_name_tools(body):
            toolbox = await self._open_tools(ctx)
            if toolbox is not None:
                await self._loop(ctx, body, toolbox, journey)
                return
        body = await self._guard(ctx, body)
        plan = await self._route(ctx, body)
        if self._pipeline.reserve:
            ctx.stage = "reserve"
            journey.reserved = True
            await self.reserve(ctx, plan.ranked)
        ctx.stage = "attempt"
        served = await self._attempt(ctx, body, plan)
        ctx.stage = "deliver"
        await journey.delivery.pass_on(served, body, plan)

    @asynccontextmanager
    async def _journey(self, ctx: RequestContext, surface: Surface, send: Send) -> AsyncIterator[Journey]:
        """Whatever happens inside: the client is told, the reservation settled, the record written."""
        journey = Journey(Delivery(ctx, surface, self._services, send))
        try:
            yield journey
        except RequestError as refused:
            journey.error = refused
        except Malformed as malformed:
            journey.error = self._errors.bad_json(str(malformed))
        except ClientGone:
            journey.gone = True
        except asyncio.CancelledError:
            journey.gone = True
            raise
        except Exception:
            log.exception("unexpected failure", request_id=ctx.request_id)
            journey.error = self._errors.unexpected(ctx.request_id)
        finally:
            await self._finish(ctx, journey)

    async def _admit(self, ctx: RequestContext) -> None:
        ctx.stage = "admit"
        if self._pipeline.admit:
            reject = await gates.any_objection_heard(self._pipeline.admit, ctx)
            if reject is not None:
                raise gates.refusal(reject)

    async def identify(self, ctx: Context) -> Principal:
        """Who calls. Raises `RequestError` when nobody can tell."""
        ctx.stage = "authenticate"
        if self._pipeline.authenticate:
            answer = await gates.first_answer(self._pipeline.authenticate, ctx, self._errors)
            if isinstance(answer, Principal):
                return answer
            if isinstance(answer, Reject):
                raise gates.refusal(answer)
        if ctx.credential is None:
            raise self._errors.no_key()
        told = ctx.credential.reveal()
        principal = self._services.master_key.authenticate(told)
        if principal is None:
            raise self._errors.unknown_key(told)
        return principal

    async def permit(self, ctx: Context) -> bool:
        """Whether a plugin allows the route's action; `False` without any opinion. Raises `RequestError` when one
        refuses."""
        ctx.stage = "permit"
        if not self._pipeline.authorize_action:
            return False
        allowed = False
        async with gates.Stage(self._pipeline.authorize_action, ctx, self._errors) as stage:
            for call in stage:
                verdict = await gates.verdict(call, ctx, ctx.action)
                if isinstance(verdict, Reject):
                    raise gates.refusal(verdict)
                allowed = allowed or verdict is True
        return allowed

    async def _read(self, ctx: RequestContext, receive: Receive) -> dict[str, Raw]:
        ctx.stage = "read"
        bounds = self._services.bounds
        length = ctx.headers.get("content-length")
        told = int(length) if length is not None and length.isdecimal() else None
        try:
            raw = await read_body(receive, bounds.body_bytes, bounds.body_seconds, told)
        except TooLarge:
            raise self._errors.too_large(bounds.body_bytes / (1 << 20)) from None
        except TooSlow:
            raise self._errors.slow_body(bounds.body_seconds) from None
        if too_deep(raw, bounds.json_depth):
            raise self._errors.too_deep(bounds.json_depth)
        try:
            return read_fields(raw)
        except Malformed as error:
            raise self._errors.bad_json(str(error)) from None

    def _understand(
        self, ctx: RequestContext, surface: Surface, fields: dict[str, Raw], asked_model: str | None
    ) -> Body:
        body = understand(surface, fields, asked_model, self._errors)
        check_guardrails(ctx, body, self._services.guardrails)
        alias = ctx.principal.aliases.get(body.model)
        if alias is not None:
            body = body.asking(alias)
        ctx.understand(body)
        ctx.end_user = ctx.headers.get("x-litellm-end-user-id") or ctx.headers.get("x-litellm-customer-id")
        ctx.end_user = ctx.end_user or surface.end_user(fields)
        ctx.tags = request_tags(ctx, body)
        return body

    async def _authorize(self, ctx: RequestContext, body: Body) -> None:
        ctx.stage = "authorize"
        if self._pipeline.authorize:  # first: a plugin may know better why a model is refused
            reject = await gates.any_objection(self._pipeline.authorize, ctx, self._errors)
            if reject is not None:
                raise gates.refusal(reject)
        principal = ctx.principal
        if not principal.may_use(body.model):
            raise self._errors.model_denied(body.model, principal.models or ())

    async def _open_tools(self, ctx: RequestContext) -> Toolbox | None:
        ctx.stage = "tools"
        async with gates.Stage(self._pipeline.open_tools, ctx, self._errors) as stage:
            for call in stage:
                toolbox: Toolbox | None = await gates.ask(call, ctx)
                if toolbox is not None:
                    return toolbox
        return None

    async def _loop(self, ctx: RequestContext, body: Body, toolbox: Toolbox, journey: Journey) -> None:
        """Answer with the gateway's tools: each round is a request of its own, guarded and settled as one."""

        stream = journey.delivery.converse(body)

        async def ask(chat: Mapping[str, Any]) -> tool_loop.Asked:
            if stream is None:
                return await nested.ask(self, ctx, chat, ctx.config, ctx.headers)
            stream.next_round()
            return await nested.listen(self, ctx, chat, ctx.config, ctx.headers, stream.hear)

        asked = await tool_loop.run(ctx, body, toolbox, ask, self._services.bounds.tool_rounds)
        ctx.stage = "deliver"
        await journey.delivery.conclude(asked, body, stream)

    async def _guard(self, ctx: RequestContext, body: Body) -> Body:
        if not self._pipeline.guard_request:
            return body
        ctx.stage = "guard"
        async with gates.Stage(self._pipeline.guard_request, ctx, self._errors) as stage:
            for call in stage:
                verdict = await gates.verdict(call, ctx)
                if isinstance(verdict, Reject):
                    raise gates.refusal(verdict)
                if isinstance(verdict, Replace):
                    body = body.replaced(verdict.body)
                    ctx.understand(body)  # later guards see what earlier ones made of it
        return body

    async def _route(self, ctx: RequestContext, body: Body) -> Plan:
        ctx.stage = "route"
        ctx.decision_id = "dec-" + ctx.request_id
        before = ctx.elapsed_ms()
        ranked, decision = await self._services.router.route(ctx, body)
        ctx.routing_ms = ctx.elapsed_ms() - before
        ctx.decide(decision)
        return make_plan(ctx, body, ranked, self._services.rules, self._errors)

    async def reserve(self, ctx: Context, ranked: tuple[ModelGroup, ...]) -> None:
        """Hold what the targets may cost; also called for a fallback that was not among them."""
        reject = await gates.any_objection(self._pipeline.reserve, ctx, self._errors, ranked)
        if reject is not None:
            raise gates.refusal(reject)

    async def _attempt(self, ctx: RequestContext, body: Body, plan: Plan) -> Served:
        attempts = self._services.attempts
        if not self._pipeline.guard_during:
            return await attempts.run(ctx, body, plan)
        guard = gates.any_objection(self._pipeline.guard_during, ctx, self._errors)
        calling = asyncio.ensure_future(attempts.run(ctx, body, plan))
        guarding = asyncio.ensure_future(guard)
        try:
            reject = await guarding  # the first byte waits for the guards
            if reject is not None:
                raise gates.refusal(reject)
            return await calling
        except BaseException:
            for task in (calling, guarding):
                task.cancel()
            await asyncio.wait((calling, guarding))
            if not calling.cancelled() and calling.exception() is None:
                await attempts.abandon(ctx, calling.result())
            raise

    async def tell_refused(self, ctx: Context, error: RequestError) -> RequestError:
        """Have it written down when a caller was refused, before the caller hears of it; what to tell the caller."""
        if ctx.stage not in _WHO or not (self._pipeline.commit or self._pipeline.emit):
            return error
        record = make_record(ctx, status=error.status, error_type=error.type, error=error.message, overhead_ms=None)
        event = admission_of(record)
        if event is None:
            return error
        try:
            await self._services.commit(event.event(record.at), ctx)
        except RequestError as lost:
            return lost
        return error

    async def _finish(self, ctx: RequestContext, journey: Journey) -> None:
        delivery, error = journey.delivery, journey.error
        if error is not None:
            error = await self.tell_refused(ctx, error)
        if error is not None and not delivery.complete:
            await delivery.fail(error)
        status = CLIENT_GONE if journey.gone else error.status if error is not None else delivery.status
        record = make_record(
            ctx,
            status=status,
            error_type=error.type if error is not None else "client_disconnected" if journey.gone else None,
            error=error.message if error is not None else None,
            overhead_ms=delivery.overhead_ms,
        )
        if journey.reserved:
            self._services.settle(ctx)
        self._services.records.add(ctx, record, self._pipeline.record)
        self._services.log_request(ctx, record)
