"""Asks the policies in force on behalf of requests, and says no in words.

How a request looks to Cedar is written in `question`.
"""

from __future__ import annotations

import structlog

from routeiq_policy_cedar.book import Question, Verdict
from routeiq_policy_cedar.config import CedarConfig
from routeiq_policy_cedar.people import People
from routeiq_policy_cedar.policies import Policies
from routeiq_policy_cedar.question import Subject, call_context, is_master, model_thing, moment, question, route_thing
from routeiq_policy_cedar.schema import INFERENCE
from routeiq_sdk import Context, Deployment, Event, Gateway, Reject

log = structlog.get_logger("routeiq.policy-cedar")


class Enforcer:
    """One gateway's enforcement."""

    def __init__(self, config: CedarConfig, gateway: Gateway) -> None:
        self._gateway = gateway
        self._bind_admin = config.bind_admin
        self.policies = Policies(config, gateway)
        self.people = People(gateway, config.decision_seconds)

    async def authorize_action(self, ctx: Context, action: str) -> Reject | None:
        """Whether policies leave the route's action to the caller. A call of a model is judged by its body, later."""
        if action in INFERENCE or self.policies.book.empty or self._exempt(ctx):
            return None
        subject = await self.people.subject(ctx.principal)
        now_ns = self.now_ns()
        return self._judge(ctx, question(subject, action, route_thing(ctx), moment(ctx.client, now_ns)))

    async def authorize(self, ctx: Context) -> Reject | None:
        """Whether policies allow to ask for this model."""
        if self._exempt(ctx):
            return None
        subject = await self.people.subject(ctx.principal)
        ctx.keep(self, subject)
        if self.policies.book.empty:
            return None
        group = self._gateway.groups.get(ctx.request.model)
        thing = model_thing(ctx.request.model, group.deployments if group is not None else ())
        context = call_context(ctx, self.now_ns())
        return self._judge(ctx, question(subject, ctx.action or INFERENCE[0], thing, context))

    def authorize_target(self, ctx: Context, deployment: Deployment) -> Reject | None:
        """Whether policies allow to call this row, for what it is: a fallback is no way round them."""
        if self.policies.book.empty or self._exempt(ctx):
            return None
        subject = ctx.kept(self, Subject)
        if subject is None:
            return Reject(503, "Nobody looked at the caller of this request.", type="internal_server_error")
        thing = model_thing(deployment.group, (deployment,))
        context = call_context(ctx, self.now_ns())
        return self._judge(ctx, question(subject, ctx.action or INFERENCE[0], thing, context))

    def now_ns(self) -> int:
        """Unix time in nanoseconds."""
        return self._gateway.clock.now_ns()

    def emit(self, event: Event) -> None:
        """Tell sinks."""
        self._gateway.emit(event)

    def _exempt(self, ctx: Context) -> bool:
        return is_master(ctx.principal) and not self._bind_admin

    def _judge(self, ctx: Context, asked: Question) -> Reject | None:
        verdict = self.policies.book.decide(asked, self._gateway.clock.monotonic())
        if verdict.allowed:
            return None
        if verdict.errors:
            log.error(
                "policies could not be evaluated, the request is refused",
                request_id=ctx.request_id,
                errors=list(verdict.errors),
            )
        self._gateway.emit(
            Event(
                "routeiq.policy_denied.v1",
                self.now_ns(),
                {
                    "request_id": ctx.request_id,
                    "principal": ctx.principal.id,
                    "action": asked.action,
                    "resource": f"{asked.resource[0]}::{asked.resource[1]}",
                    "policies": list(verdict.policies),
                    "errors": list(verdict.errors),
                },
            )
        )
        return Reject(403, said(verdict), type="policy_denied", code="403")


def said(verdict: Verdict) -> str:
    """A refusal in words. Policies are named, their text is not told."""
    if verdict.errors:
        return "Refused: an access policy could not be evaluated. The gateway's log has it."
    if verdict.policies:
        named = ", ".join(repr(id) for id in verdict.policies)
        return f"Refused by the access {'policy' if len(verdict.policies) == 1 else 'policies'} {named}."
    return "Refused: no access policy permits this."
