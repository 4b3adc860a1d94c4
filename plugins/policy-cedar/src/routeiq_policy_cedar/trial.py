"""A hypothetical request: what the policies in force, or others, would decide about it.

Nothing is written and nothing is kept.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from routeiq_policy_cedar.book import Book, Question
from routeiq_policy_cedar.policies import Policies
from routeiq_policy_cedar.question import moment, subject_of
from routeiq_policy_cedar.schema import INFERENCE
from routeiq_sdk import Principal, RequestError
from routeiq_sdk.values.directory import DirectoryUser


class TrialPrincipal(BaseModel):
    """Who would ask."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["key", "user", "service", "admin"] = "key"
    id: str = "trial"
    user: str | None = None
    team: str | None = None
    organization: str | None = None
    roles: list[str] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)
    alias: str | None = None
    email: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class TrialResource(BaseModel):
    """What would be asked for: a model, or else a route."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = None
    providers: list[str] = Field(default_factory=list)
    regions: list[str] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)
    route: str | None = None
    method: str = "POST"


class TrialContext(BaseModel):
    """When, from where and how. What is left out is: now, from nowhere, one plain call."""

    model_config = ConfigDict(extra="forbid")

    at: datetime | None = None
    ip: str | None = None
    tags: list[str] = Field(default_factory=list)
    end_user: str | None = None
    stream: bool = False
    tokens: int | None = Field(None, ge=0, lt=2**53)


class Trial(BaseModel):
    """The body of a test. With `policy`, that text decides beside the policies in force, as if it had been added."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    principal: TrialPrincipal = Field(default_factory=TrialPrincipal)
    action: str = Field("chat:create", pattern=r"^[a-z][a-z0-9_-]*:[a-z][a-z0-9_-]*$")
    resource: TrialResource = Field(default_factory=TrialResource)
    context: TrialContext = Field(default_factory=TrialContext)
    policy: str | None = None


def run(trial: Trial, policies: Policies, now_ns: int) -> Mapping[str, Any]:
    """The decision, the policies that made it, and what could not be evaluated. Raises `RequestError(400)`."""
    book = policies.book
    if trial.policy is not None:
        found, problems = policies.problems_with("trial", trial.policy)
        if problems:
            told = "; ".join(str(problem) for problem in problems[:10])
            raise RequestError(400, f"The policy does not pass: {told}", type="validation_error", param="policy")
        book = Book(0, [*book.policies, *found], policies.schema, default_allow=book.default_allow, seconds=0)
    verdict = book.evaluate(_question(trial, now_ns))
    sources = {
        policy.id: {"source": policy.source, "line": policy.line, "forbids": policy.forbids} for policy in book.policies
    }
    return {
        "decision": "allow" if verdict.allowed else "deny",
        "by": "error" if verdict.errors else "policies" if verdict.policies else "default",
        "policies": [{"id": id, **sources[id]} for id in verdict.policies],
        "errors": list(verdict.errors),
        "version": policies.book.version,
    }


def _question(trial: Trial, now_ns: int) -> Question:
    asks = trial.principal
    attributes = {"roles": asks.roles, "metadata": asks.metadata, **({"email": asks.email} if asks.email else {})}
    principal = Principal(
        asks.id,
        kind=asks.kind,
        alias=asks.alias,
        user=asks.user,
        team=asks.team,
        organization=asks.organization,
        tags=frozenset(asks.tags),
        attributes=attributes,
    )
    user = DirectoryUser(asks.user, email=asks.email, roles=frozenset(asks.roles)) if asks.user is not None else None
    subject = subject_of(principal, user)
    given = trial.context
    if given.ip is not None:
        try:
            ipaddress.ip_address(given.ip)
        except ValueError:
            raise RequestError(400, f"{given.ip!r} is no IP address", param="context.ip") from None
    at = now_ns
    if given.at is not None:
        at = int((given.at if given.at.tzinfo is not None else given.at.replace(tzinfo=UTC)).timestamp() * 1e9)
    context = moment(given.ip, at)
    if trial.action in INFERENCE or trial.resource.model is not None:
        name = trial.resource.model or "trial"
        thing = ("Model", name)
        attrs: dict[str, Any] = {
            "name": name,
            "virtual": not trial.resource.providers,
            "providers": trial.resource.providers,
            "regions": trial.resource.regions,
            "tags": trial.resource.tags,
        }
        context |= {"tags": given.tags, "stream": given.stream}
        context |= {k: v for k, v in (("end_user", given.end_user), ("tokens", given.tokens)) if v is not None}
    else:
        path = trial.resource.route or "/"
        thing = ("Route", f"{trial.resource.method} {path}")
        attrs = {"path": path, "method": trial.resource.method}
    entity = {"uid": {"type": thing[0], "id": thing[1]}, "attrs": attrs, "parents": []}
    return Question((subject.type, subject.id), trial.action, thing, context, (*subject.entities, entity), None, None)
