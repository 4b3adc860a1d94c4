"""What transports learn of a call while they make it (its id, its session, the version), for the call's record.

It travels beside the call, so that no transport has to hand it back: where nobody listens, nothing is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar

_LONGEST_ID = 64
_NOTES: ContextVar[MutableMapping[str, str] | None] = ContextVar("routeiq_mcp_notes", default=None)


@contextmanager
def noted(into: MutableMapping[str, str]) -> Iterator[None]:
    """Whatever is noted inside goes into `into`, under the names of `routeiq_sdk.events.tool_call.FACTS`."""
    token = _NOTES.set(into)
    try:
        yield
    finally:
        _NOTES.reset(token)


def note(**facts: str | None) -> None:
    """Note facts of the call that is being made, if one is; the newest of a name counts."""
    notes = _NOTES.get()
    if notes is not None:
        notes.update((name, value) for name, value in facts.items() if value is not None)


def session_mark(id: str | None) -> str | None:
    """What is told of a session's id: not the id, which admits to the session."""
    return hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()[:16] if id is not None else None


def request_mark(id: object) -> str:
    """What is told of the id of a client's request: clients choose it, so it may be of any length."""
    return str(id)[:_LONGEST_ID]
