"""Finished requests as the plugin hands them to its targets, without a gateway."""

from __future__ import annotations

from typing import Any

from routeiq_callbacks.finished import Finished, Texts
from routeiq_callbacks.payload import Shape
from routeiq_sdk import Context
from routeiq_sdk.messages import MessageLogging, Messages
from routeiq_sdk.testing import make_context
from routeiq_sdk.testing.fakes import make_record


def finished(
    ctx: Context | None = None,
    *,
    mode: str = "off",
    most_text: int = 1 << 26,
    redact_callers: bool = False,
    excluded: frozenset[str] = frozenset(),
    **record: Any,
) -> Finished:
    """One request; `record` replaces values of its record."""
    messages = Messages(MessageLogging.model_validate({"mode": mode}))
    shape = Shape(messages, redact_callers=redact_callers, excluded=excluded)
    return Finished(ctx or make_context(), make_record(**record), shape, Texts(messages, most_text))
