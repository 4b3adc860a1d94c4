"""One server as the hub sees it: who it is, what the operator allows of it, its lists, and how it is doing.

How it is spoken to is its upstream's business.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from routeiq_mcp.hub.lists import Lists
from routeiq_mcp.hub.policy import Policy
from routeiq_mcp.seams import McpError, ServerFacts, Upstream
from routeiq_sdk import Context, RequestError
from routeiq_sdk.values.delegation import ConsentNeeded

Source = Literal["config", "added", "gateway"]
PROTOCOL = "mcp"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong when a server was last asked. `at` is Unix time in nanoseconds."""

    reason: str
    at: int


@dataclass(eq=False, slots=True)
class Server:
    """A server behind the gateway, or inside it."""

    name: str
    id: str
    prefix: str
    upstream: Upstream
    policy: Policy
    lists: Lists
    source: Source = "config"
    groups: frozenset[str] = frozenset()
    auth_mode: str = "none"
    per_caller: bool = False
    """Whether it is told who calls, so that it may answer each differently."""
    forwarded: tuple[str, ...] = ()
    instructions: str | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    """What admins and REST clients read of it; no secret."""
    trouble: Trouble | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Tools of the last list that are not offered, with the reason."""
    skills_left_out: Mapping[str, str] = field(default_factory=dict)
    """Skills of the last list that are not shown, with the reason."""
    known_facts: ServerFacts | None = None
    facts_until: float = 0.0
    asked: bool = False

    @property
    def aliases(self) -> frozenset[str]:
        """The names beside its own by which permissions may speak of it."""
        return frozenset({self.id, self.prefix}) - {self.name}

    def caller(self, ctx: Context) -> str:
        """Names who calls, as far as this server can tell callers apart; never shown to anybody."""
        principal = ctx.identified
        told = (
            (principal.id, principal.user or "", principal.team or "", principal.organization or "")
            if principal is not None
            else ("",)
        )
        headers = tuple(ctx.headers.get(name, "") or "" for name in self.forwarded)
        return hashlib.sha256("\0".join((*told, "", *headers)).encode("utf-8", "surrogateescape")).hexdigest()

    def note(self, error: BaseException | None, at: int) -> None:
        """Note how a request to the server ended. What is one caller's matter says nothing of the server."""
        if isinstance(error, ConsentNeeded | RequestError):
            return
        if self.per_caller and isinstance(error, McpError) and not hasattr(error, "kind"):
            return  # its answer, to this caller; `kind` says that there was none
        self.asked = True
        self.trouble = Trouble(reason_of(error), at) if error is not None else None


def reason_of(error: BaseException) -> str:
    """Why a server could not be asked, as clients may read it."""
    if isinstance(error, RequestError):
        return error.message
    if isinstance(error, McpError | ConsentNeeded):
        return str(error)
    return f"it failed: {type(error).__name__}"
