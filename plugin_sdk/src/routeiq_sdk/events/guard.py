"""`routeiq.guard.v1`: a guard objected to a request, an answer, a stream or a tool call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from routeiq_sdk.events.contract import Contract

GuardHook = Literal[
    "guard_request",
    "guard_during",
    "guard_response",
    "stream_filter",
    "stream_part_filter",
    "guard_tool_call",
    "guard_tool_result",
    "guard_tool_definition",
]
GUARD_HOOKS: frozenset[str] = frozenset(get_args(GuardHook))
"""The hooks of guards; objections at other hooks are not theirs."""


@dataclass(slots=True, kw_only=True)
class GuardV1(Contract, name="routeiq.guard.v1"):
    """One objection of one guard. A guard that lets everything pass leaves none."""

    event_id: str
    """Unique: the request id and the objection's number."""
    timestamp_utc: str
    """When the request arrived, ISO 8601."""
    request_id: str
    """The logical request's id."""
    trace_id: str
    """The trace of the request, 32 hex digits."""
    guard: str
    """The plugin."""
    stage: GuardHook
    """What it looked at."""
    action: Literal["reject", "replace", "stop", "fail", "observe"]
    """What it did: refused, changed the text, ended a stream, failed (which refuses), or only noted what it found."""
    status: int
    """The HTTP status of a refusal; 0 otherwise."""
    reason: str
    """The class of the objection, or the kinds of what was found. No prompt and no answer text."""
    principal: str | None
    """The credential's id."""
    team: str | None
    """The caller's team."""
