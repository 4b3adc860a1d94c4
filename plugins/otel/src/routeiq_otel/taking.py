"""What is kept of a request until its batch is encoded: its record, and the little that its context alone knows.

The context itself is let go, since it holds the prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from routeiq_otel import names
from routeiq_sdk import Context, Record, Request

Parameters = tuple[tuple[str, Any], ...]
_NUMBERS = (
    ("max_tokens", names.REQUEST_MAX_TOKENS, int),
    ("max_completion_tokens", names.REQUEST_MAX_TOKENS, int),
    ("temperature", names.REQUEST_TEMPERATURE, float),
    ("top_p", names.REQUEST_TOP_P, float),
    ("top_k", names.REQUEST_TOP_K, float),
    ("frequency_penalty", names.REQUEST_FREQUENCY_PENALTY, float),
    ("presence_penalty", names.REQUEST_PRESENCE_PENALTY, float),
    ("seed", names.REQUEST_SEED, int),
    ("n", names.REQUEST_CHOICES, int),
)
_STOPS = ("stop", "stop_sequences")
_MOST_STOPS = 16


class Taken(NamedTuple):
    """One finished request. `sampled` says whether its trace is exported; `span_ids` are those that providers were
    told, by the attempt's number; `prompt` and `answer` are what may be kept of them."""

    record: Record
    sampled: bool
    method: str = "POST"
    parameters: Parameters = ()
    span_ids: Mapping[int, str] | None = None
    prompt: Any = None
    answer: Any = None
    wire: str = ""


def parameters_of(ctx: Context) -> Parameters:
    """The request's parameters in the conventions' names; those that are no plain numbers are left out."""
    asked = ctx.asked
    if asked is None:
        return ()
    try:
        return _parameters(asked)
    except ValueError:  # the client's JSON holds a number that nobody can read
        return ()


def _parameters(asked: Request) -> Parameters:
    found: list[tuple[str, Any]] = []
    param = asked.param
    for field, name, kind in _NUMBERS:
        value = param(field)
        if value is not None and type(value) in (int, float):
            found.append((name, kind(value)))
    for field in _STOPS:
        value = param(field)
        if value is not None:
            texts = [value] if isinstance(value, str) else value
            if isinstance(texts, list) and all(isinstance(each, str) for each in texts):
                found.append((names.REQUEST_STOP, tuple(texts[:_MOST_STOPS])))
    return tuple(found)
