"""What the road needs of its runtime, in one frozen value. It is built in `routeiq.runtime`.

No behaviour lives here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from routeiq.errors import Errors
from routeiq.plugins.compiled import Pipeline
from routeiq.request.answer_headers import AnswerHeaders
from routeiq.request.attempts import Attempts
from routeiq.request.auth import MasterKey
from routeiq.request.plan import RoutingRules
from routeiq.request.record import Records
from routeiq.request.routing import Router
from routeiq_sdk import Context, Deployment, Event, Record


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of the road itself: bytes and seconds of a body, levels of its JSON, rounds of a tool loop."""

    body_bytes: int
    body_seconds: float
    json_depth: int
    tool_rounds: int


class Commit(Protocol):
    """Has an event made durable and tells it to the sinks. Raises `RequestError` when it could not be."""

    async def __call__(self, event: Event, ctx: Context | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class Services:
    """One runtime as the road sees it. `guardrails` are the names that requests may ask for. `settle` and `log_request`
    only start or write; neither is awaited."""

    pipeline: Pipeline
    errors: Errors
    master_key: MasterKey
    key_header: str | None
    bounds: Bounds
    guardrails: frozenset[str]
    rules: RoutingRules
    router: Router
    attempts: Attempts
    headers: AnswerHeaders
    records: Records
    commit: Commit
    api_base: Callable[[Deployment], str]
    tell_stream_cost: bool
    settle: Callable[[Context], None]
    log_request: Callable[[Context, Record], None]
