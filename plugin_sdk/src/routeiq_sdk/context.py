"""The per-request context that every hook receives, and the request inside it.

It has slots, not a dictionary: what a gate has not filled yet raises `WrongPhase`, which names the gate that fills it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from routeiq_sdk.errors import WrongPhase
from routeiq_sdk.secret import Secret
from routeiq_sdk.values.attempts import Outcome
from routeiq_sdk.values.budgets import Budget
from routeiq_sdk.values.decision import Decision
from routeiq_sdk.values.http import Headers
from routeiq_sdk.values.models import Usage
from routeiq_sdk.values.principal import Principal
from routeiq_sdk.values.trace import TraceContext
from routeiq_sdk.values.verdict import Ruling

T = TypeVar("T")


class Request(Protocol):
    """What the client asked for, on any surface.

    `wire` is the protocol it speaks (`openai-chat`, `openai-completion`, `openai-embedding`, `anthropic-messages`).
    Reading `json()` or `text()` parses the whole body once; a plugin that does so declares `reads_body`.
    """

    @property
    def wire(self) -> str:
        """Name of the client's protocol."""

    @property
    def model(self) -> str:
        """The model name the client asked for."""

    @property
    def stream(self) -> bool:
        """True when the client wants a stream."""

    def json(self) -> Mapping[str, Any]:
        """The whole body as JSON. Treat it as read-only; return `Replace` to change it."""

    def text(self) -> str:
        """All text that the model will read: system prompts, messages, inputs; joined by newlines."""

    def last_user_text(self) -> str:
        """The newest text of the user: what a router looks at first."""

    def param(self, name: str, default: Any = None) -> Any:
        """One top-level field of the body."""


class Context:
    """One request on its way down the road. Created by the core; hooks read it and keep their own notes in it.

    `cost` is in nano-USD, `None` while unknown or when the model is unpriced. `answer_headers` are added to the
    answer's head; a plugin may write into them until the first byte goes out. `action` is what the route declares
    (`chat:create`), `stage` the gate that the request has come to, `rulings` what plugins objected on the way,
    `budgets` those that bind it (whoever keeps budgets adds them), `redactors` what sinks put every text through that
    they keep (guards that only look on add them),
    `credential` what the caller presented, from wherever the gateway looks for one.
    """

    __slots__ = (
        "_decision",
        "_kept",
        "_principal",
        "_request",
        "_trace",
        "action",
        "answer_headers",
        "attempts",
        "budgets",
        "client",
        "config",
        "cost",
        "credential",
        "decision_id",
        "end_user",
        "headers",
        "method",
        "path",
        "price_version",
        "received_at",
        "redactors",
        "request_id",
        "route",
        "routing_ms",
        "rulings",
        "stage",
        "started",
        "surface",
        "tags",
        "usage",
    )

    def __init__(
        self,
        *,
        request_id: str,
        surface: str,
        route: str,
        method: str,
        path: str,
        headers: Headers,
        client: str | None,
        config: str,
        action: str = "",
        credential: Secret | None = None,
    ) -> None:
        self.request_id = request_id
        self.surface = surface
        self.route = route
        self.method = method
        self.path = path
        self.headers = headers
        self.client = client
        self.config = config
        self.action = action
        self.credential = credential
        self.received_at = time.time_ns()
        self.started = time.perf_counter()
        self.decision_id: str | None = None
        self.end_user: str | None = None
        self.tags: frozenset[str] = frozenset()
        self.attempts: list[Outcome] = []
        self.usage: Usage | None = None
        self.cost: int | None = None
        self.price_version: str | None = None
        self.answer_headers: dict[str, str] = {}
        self._principal: Principal | None = None
        self._request: Request | None = None
        self._decision: Decision | None = None
        self.routing_ms: float | None = None
        self.rulings: list[Ruling] = []
        self.budgets: list[Budget] = []
        self.redactors: list[Callable[[str], str]] = []
        self.stage: str = "door"
        self._kept: dict[object, Any] | None = None
        self._trace: TraceContext | None = None

    @property
    def trace(self) -> TraceContext:
        """The request's place in its trace: below the client's `traceparent`, or a new trace."""
        if self._trace is None:
            self._trace = TraceContext.begin(self.headers.get("traceparent"), self.headers.get("tracestate"))
        return self._trace

    @property
    def principal(self) -> Principal:
        """Who calls. Known after `authenticate`."""
        if self._principal is None:
            raise WrongPhase("the principal", "authorize, guard_request and every later gate")
        return self._principal

    @property
    def identified(self) -> Principal | None:
        """Who calls, or `None` before (or without) authentication."""
        return self._principal

    @property
    def request(self) -> Request:
        """What the client asks for. Known once the body is read: at `authorize` and after."""
        if self._request is None:
            raise WrongPhase("the request", "authorize, guard_request and every later gate")
        return self._request

    @property
    def asked(self) -> Request | None:
        """What the client asks for, or `None` before the body was understood."""
        return self._request

    @property
    def decision(self) -> Decision | None:
        """The routing decision; `None` until `select_model` ran, and for a concrete model that needed none."""
        return self._decision

    def keep(self, owner: object, value: Any) -> None:
        """Keep a note of `owner` (pass `self`) for a later hook of the same plugin."""
        if self._kept is None:
            self._kept = {}
        self._kept[owner] = value

    def kept(self, owner: object, kind: type[T]) -> T | None:
        """The note that `owner` kept, if it is a `kind`; else `None`."""
        value = self._kept.get(owner) if self._kept is not None else None
        return value if isinstance(value, kind) else None

    def elapsed_ms(self) -> float:
        """Milliseconds since the request arrived."""
        return (time.perf_counter() - self.started) * 1000
