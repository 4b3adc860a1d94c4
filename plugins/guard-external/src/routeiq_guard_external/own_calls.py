"""Tells the calls that this guard makes to a judging model from all others, so that it does not judge those.

The mark lives in the gateway's own memory: nothing that a client sends can make or copy it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from routeiq_sdk import Context

_JUDGED: ContextVar[set[str] | None] = ContextVar("routeiq_guard_external_judged", default=None)


@contextmanager
def judging(ctx: Context) -> Iterator[None]:
    """While it lasts, nested calls made here for `ctx` are the guard's own."""
    token = _JUDGED.set({ctx.request_id})
    try:
        yield
    finally:
        _JUDGED.reset(token)


def is_own(ctx: Context) -> bool:
    """Whether `ctx` is a call of the guard, or one that another plugin made on the way of such a call.

    Being in the midst of one is not enough, since tasks that begin there may outlive it: the request must also be the
    child of one that is judged, by the route that the gateway gives to nested calls.
    """
    known = _JUDGED.get()
    if known is None:
        return False
    nested, _, parent = ctx.route.partition(":")
    if nested != "nested" or parent not in known:
        return False
    known.add(ctx.request_id)
    return True
