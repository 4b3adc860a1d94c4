"""The one attempt loop: calls, retries, fallbacks, benching. Plain answers and streams alike, until the first valid
event.

It never looks into a body and never talks to the client.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from routeiq.errors import Errors, UpstreamError
from routeiq.plugins.compiled import Pipeline
from routeiq.request import frames, gates
from routeiq.request.answer_headers import of_failure
from routeiq.request.choice import Choice
from routeiq.request.confinement import Confinement
from routeiq.request.cooldown import Cooldowns
from routeiq.request.plan import Plan
from routeiq.upstream import mock
from routeiq.upstream.base import Adapter, Limits, Reply, Whole
from routeiq.wires.body import Body
from routeiq_sdk import Attempt, Context, Deployment, ModelGroup, Outcome, Reject, RequestError, Usage

_RETRYABLE = frozenset({0, 408, 409, 429})
_ELSEWHERE = frozenset({401, 402, 403, 404})
_BACKOFF_FIRST = 0.5
_BACKOFF_MOST = 8.0
_CONNECT_SECONDS = 10.0
_MOST_ANSWER_BYTES = 256 << 20
_TOO_LONG = "ContextWindowExceededError"
_FORWARDED = {"anthropic": ("anthropic-beta", "anthropic-version")}
"""Headers of the client that a wire's provider gets, unless the deployment sets them itself."""

Resolve = Callable[[str], ModelGroup | None]


@dataclass(slots=True)
class Served:
    """A reply that can be passed on, and how it came about. The attempt is over only when the reply is."""

    reply: Reply
    deployment: Deployment
    number: int
    fallbacks: int
    timeout: float
    started: float
    first_byte_ms: float
    response_id: str | None = None
    finish_reason: str | None = None

    @property
    def upstream_ms(self) -> float:
        """Milliseconds spent on this call so far."""
        return (time.perf_counter() - self.started) * 1000


@dataclass(frozen=True, slots=True)
class _Target:
    group: ModelGroup
    params: Mapping[str, Any]


class Attempts:
    """Runs the plan of a request against the deployments of one runtime."""

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        choice: Choice,
        cooldowns: Cooldowns,
        adapters: Mapping[str, Adapter],
        errors: Errors,
        resolve: Resolve,
        top_up: Callable[[Context, Sequence[ModelGroup]], Any],
        idle_seconds: float,
        confinement: Confinement | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._choice = choice
        self._cooldowns = cooldowns
        self._adapters = adapters
        self._errors = errors
        self._resolve = resolve
        self._top_up = top_up
        self._idle_seconds = idle_seconds
        self._confinement = confinement

    async def run(self, ctx: Context, body: Body, plan: Plan) -> Served:
        """Call targets until one answers. Raises the `RequestError` that tells the client about the last failure."""
        targets = deque(_Target(group, {}) for group in plan.ranked)
        known = {group.name for group in plan.ranked}
        reserved = set(known)
        used = -1
        while True:
            target = targets.popleft()
            used += 1
            try:
                if target.group.name not in reserved:
                    reserved.add(target.group.name)
                    await self._top_up(ctx, (target.group,))
                return await self._group(ctx, body, plan, target, used)
            except UpstreamError as error:
                wanted = plan.fallbacks(target.group.name, error.name)
                self._queue(ctx, targets, known, wanted, special=error.name == _TOO_LONG)
                if not targets or used >= plan.rules.max_fallbacks:
                    refusal = self._errors.upstream(error, plan.ranked[0].name, _names(wanted))
                    refusal.headers = {**of_failure(error.headers, error.timeout), **refusal.headers}
                    raise refusal from error
            except RequestError as error:
                too_long = error.code == "context_length_exceeded"  # a plugin said what a provider would have said
                wanted = plan.fallbacks(target.group.name, _TOO_LONG if too_long else "")
                self._queue(ctx, targets, known, wanted, special=too_long)
                if not targets or used >= plan.rules.max_fallbacks:
                    raise

    def _queue(
        self, ctx: Context, targets: deque[_Target], known: set[str], wanted: Sequence[Any], *, special: bool
    ) -> None:
        may_use = ctx.principal.may_use  # a fallback is no way round the list of models a key may use
        fresh: list[_Target] = []
        for item in wanted:
            name = item if isinstance(item, str) else item.get("model")
            if not isinstance(name, str):
                continue
            params = {} if isinstance(item, str) else {key: value for key, value in item.items() if key != "model"}
            way = f"{name} {params}" if params else name
            if way in known or not may_use(name):
                continue
            group = self._resolve(name)
            if group is not None:
                known.add(way)
                fresh.append(_Target(group, params))
        if special:
            targets.extendleft(reversed(fresh))
        else:
            targets.extend(fresh)

    async def _group(self, ctx: Context, body: Body, plan: Plan, target: _Target, fallbacks: int) -> Served:
        group = target.group
        if plan.mock is not None and fallbacks == 0:
            raise _mocked(plan.mock)
        candidates = await self._choice.candidates(ctx, group)
        tried: set[str] = set()
        calls = 0
        while True:
            deployment = self._choice.pick(ctx, group, candidates, tried)
            tried.add(deployment.id)
            calls += 1
            try:
                return await self._once(ctx, body, plan, deployment, target.params, fallbacks)
            except UpstreamError as error:
                if error.kind == "vetoed":
                    calls -= 1  # nobody was called: another target is no retry
                self._bench(deployment, error, alone=len(candidates) == 1)
                elsewhere = self._choice.others(candidates, tried)
                most = plan.retries(group.name, error.name, deployment.info.get("num_retries"))
                if calls > most or not _again(error, elsewhere):
                    raise
                if not elsewhere:
                    await asyncio.sleep(_pause(calls, error, plan.rules.retry_after))
                    if not self._cooldowns.healthy(candidates):
                        raise

    async def _once(
        self, ctx: Context, body: Body, plan: Plan, deployment: Deployment, params: Mapping[str, Any], fallbacks: int
    ) -> Served:
        number = len(ctx.attempts) + 1
        attempt = Attempt(number, deployment, _headers(ctx, deployment), dict(params))
        timeout = plan.timeout(deployment.timeout, deployment.stream_timeout, body.stream)
        started = time.perf_counter()
        running = self._choice.running
        running[deployment.id] = running.get(deployment.id, 0) + 1
        try:
            await self._prepare(ctx, attempt)
            if plan.mock_response is not None:
                reply = mock.reply(plan.mock_response, deployment.model, body)
            else:
                reach = None if self._confinement is None else self._confinement.reach(ctx)
                limits = Limits(min(_CONNECT_SECONDS, timeout), timeout, self._idle_seconds, _MOST_ANSWER_BYTES, reach)
                reply = await self._adapters[deployment.wire].exchange(ctx, deployment, attempt, body, limits)
        except UpstreamError as error:
            error.timeout = timeout
            self.leave(deployment)
            await self.ended(ctx, deployment, number, started, error)
            raise
        except BaseException:
            self.leave(deployment)
            gone = UpstreamError("cancelled", 0, "Cancelled", "the request ended before the provider answered")
            self._note(ctx, deployment, number, started, gone)
            raise
        return Served(reply, deployment, number, fallbacks, timeout, started, (time.perf_counter() - started) * 1000)

    async def _prepare(self, ctx: Context, attempt: Attempt) -> None:
        if self._pipeline.authorize_target and self._choice.authorized(ctx, attempt.deployment) is not None:
            raise _veto(Reject(403, "a plugin no longer allows this target"))
        until = gates.deadline() if self._pipeline.before_attempt else 0.0
        for call in self._pipeline.before_attempt:
            try:
                verdict = gates.understood(call, await gates.ask_until(until, call, ctx, attempt))
            except Exception as error:
                gates.failed(call, ctx, error)
                raise _veto(Reject(403, f"the plugin '{call.plugin}' failed before the attempt")) from None
            if isinstance(verdict, Reject):
                raise _veto(verdict)

    def leave(self, deployment: Deployment) -> None:
        """A call to the deployment is over."""
        left = self._choice.running.get(deployment.id, 0) - 1
        if left > 0:
            self._choice.running[deployment.id] = left
        else:
            self._choice.running.pop(deployment.id, None)

    async def finished(self, ctx: Context, served: Served, usage: Usage | None, error: UpstreamError | None) -> None:
        """The reply has been passed on, or broke off with `error`."""
        self.leave(served.deployment)
        if error is None:
            self._cooldowns.succeeded(served.deployment)
        elif error.kind != "cancelled":
            self._bench(served.deployment, error, alone=True)
        await self.ended(ctx, served.deployment, served.number, served.started, error, usage, served)

    async def abandon(self, ctx: Context, served: Served) -> None:
        """A guard refused while the reply was already there: the provider did the work, the client gets none of it."""
        usage = None
        if isinstance(served.reply, Whole):
            usage = frames.whole_usage(served.reply.wire, served.reply.body)
        else:
            await served.reply.close()
        ctx.usage = usage
        await self.finished(ctx, served, usage, UpstreamError("cancelled", 0, "Cancelled", "refused by a guard"))

    async def ended(
        self,
        ctx: Context,
        deployment: Deployment,
        number: int,
        started: float,
        error: UpstreamError | None,
        usage: Usage | None = None,
        served: Served | None = None,
    ) -> None:
        """Write down how an attempt ended and tell the plugins."""
        outcome = self._note(ctx, deployment, number, started, error, usage, served)
        until = gates.deadline() if self._pipeline.after_attempt else 0.0
        for call in self._pipeline.after_attempt:
            try:
                await gates.ask_until(until, call, ctx, outcome)
            except Exception as failure:
                gates.failed(call, ctx, failure)

    def _note(
        self,
        ctx: Context,
        deployment: Deployment,
        number: int,
        started: float,
        error: UpstreamError | None,
        usage: Usage | None = None,
        served: Served | None = None,
    ) -> Outcome:
        cost = deployment.price.cost(usage) if usage is not None and deployment.price is not None else None
        outcome = Outcome(
            number=number,
            deployment_id=deployment.id,
            provider=deployment.provider,
            model=deployment.model,
            kind="ok" if error is None else error.kind,
            status=200 if error is None else error.status,
            latency_ms=(time.perf_counter() - started) * 1000,
            started_ms=(started - ctx.started) * 1000,
            dispatched=error is None or error.dispatched,
            first_byte_ms=None if served is None else served.first_byte_ms,
            response_id=None if served is None else served.response_id,
            finish_reason=None if served is None else served.finish_reason,
            usage=usage,
            cost=cost,
            error_type=None if error is None else error.name,
            message=None if error is None else error.message,
            group=deployment.group,
        )
        ctx.attempts.append(outcome)
        return outcome

    def _bench(self, deployment: Deployment, error: UpstreamError, *, alone: bool) -> None:
        if error.kind == "vetoed":
            return
        status = 408 if error.kind == "timeout" else error.status or 500
        self._cooldowns.failed(
            deployment,
            error.name,
            status,
            alone=alone,
            retry_after=error.retry_after,
            cooldown=deployment.info.get("cooldown_time"),
        )


def _headers(ctx: Context, deployment: Deployment) -> dict[str, str]:
    headers = dict(deployment.headers)
    for name in _FORWARDED.get(deployment.wire, ()):
        told = ctx.headers.get(name)
        if told is not None and not any(own.lower() == name for own in headers):
            headers[name] = told
    return headers


def _again(error: UpstreamError, elsewhere: bool) -> bool:
    if error.kind == "vetoed":
        return elsewhere
    if error.status in _RETRYABLE or error.status >= 500 or error.kind in ("timeout", "cut", "garbage"):
        return True
    return elsewhere and error.status in _ELSEWHERE


def _pause(calls: int, error: UpstreamError, floor: float) -> float:
    if error.retry_after is not None and error.retry_after <= 60:
        return max(error.retry_after, floor)
    backoff: float = min(_BACKOFF_MOST, _BACKOFF_FIRST * 2 ** (calls - 1))
    return max(floor, backoff * (0.75 + random.random() / 2))  # noqa: S311 (spreads retries, keeps no secret)


def _mocked(name: str) -> UpstreamError:
    status = {"RateLimitError": 429, "InternalServerError": 500, "Timeout": 408}.get(name, 400)
    return UpstreamError("error", status, name, f"mocked by the request: {name}", dispatched=False)


def _veto(reject: Reject) -> UpstreamError:
    return UpstreamError(
        "vetoed",
        reject.status,
        {401: "AuthenticationError", 429: "RateLimitError"}.get(reject.status, "PermissionDeniedError"),
        reject.message,
        code=reject.code,
        retry_after=reject.retry_after,
        dispatched=False,
    )


def _names(wanted: Sequence[Any]) -> list[str]:
    return [item if isinstance(item, str) else str(item.get("model")) for item in wanted]
