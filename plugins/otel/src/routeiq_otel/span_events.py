"""What is told on a request's span beside its plain facts: the routing decision, and what plugins objected.

Spans themselves are in `spans`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache

from routeiq_otel import names
from routeiq_otel.attributes import EVENT, SPAN, DoubleAttribute, TextAttribute, attributes
from routeiq_otel.decision import decision_json
from routeiq_otel.privacy import shown
from routeiq_otel.protobuf import text, varint
from routeiq_sdk import Record, Ruling
from routeiq_sdk.events import GUARD_HOOKS
from routeiq_sdk.events.of_record import was_routed

Add = Callable[[bytes], None]
_TIME = struct.Struct("<BQ").pack
_AT = 0x09
_EVENTS = b"\x5a"  # Span.events
_DECISION = text(2, names.DECISION_EVENT)
_payload = TextAttribute(names.DECISION_PAYLOAD, EVENT)
_score = DoubleAttribute(names.ROUTER_SCORE)
_latency = DoubleAttribute(names.ROUTER_LATENCY)
_reason = TextAttribute(names.ROUTER_REASON)
_error_message = TextAttribute(names.ROUTER_ERROR_MESSAGE)


def router_attributes(add: Add, record: Record) -> None:
    """The choice of the model, in RouteIQ's own words."""
    decision, attempts = record.decision, record.attempts
    fell_back = len(attempts) > 1 and attempts[0].group != attempts[-1].group
    error = None if record.status < 400 else record.error_type
    if decision is not None:
        chosen, many = decision.chosen, len(decision.candidates)
        add(_constants(decision.strategy, decision.version, chosen.model, many, fell_back, error, record.status))
        add(_score(chosen.score))
        add(_reason(decision.reason))
    else:
        add(_constants(None, None, record.group, 1, fell_back, error, record.status))
    if record.routing_ms is not None:
        add(_latency(record.routing_ms))
    if record.status >= 400 and record.error is not None:
        add(_error_message(shown(record.error)))


@lru_cache(maxsize=1024)
def _constants(
    strategy: str | None,
    version: str | None,
    model: str | None,
    many: int,
    fell_back: bool,
    error: str | None,
    status: int,
) -> bytes:
    outcome = ("fallback" if fell_back else "success") if status < 400 else "failure"
    told = {
        names.ROUTER_STRATEGY: strategy,
        names.ROUTER_VERSION: version,
        names.ROUTER_MODEL: model,
        names.ROUTER_CANDIDATES: many,
        names.ROUTER_FALLBACK: fell_back,
        names.ROUTER_OUTCOME: outcome,
        names.ROUTER_ERROR_TYPE: error,
    }
    return attributes(told, SPAN)


def events_of_request(add: Add, record: Record, end: int) -> None:
    """The decision, placed where the first attempt began, and the rulings: before it, or at the end."""
    attempts = record.attempts
    chosen_at = record.at + int(attempts[0].started_ms * 1e6) if attempts else end
    if was_routed(record):
        add(_event(_DECISION, chosen_at, _payload(decision_json(record))))
    for ruling in record.rulings:
        early = ruling.hook in ("guard_request", "authorize", "admit", "authenticate")
        add(_ruled(ruling, chosen_at if early else end))


def _ruled(ruling: Ruling, at: int) -> bytes:
    name = names.GUARD_EVENT if ruling.hook in GUARD_HOOKS else names.ADMISSION_EVENT
    told = {
        names.PLUGIN: ruling.plugin,
        names.HOOK: ruling.hook,
        names.RULING_ACTION: ruling.action,
        names.RULING_REASON: ruling.reason or None,
        names.STATUS: ruling.status or None,
    }
    return _event(text(2, name), at, attributes(told, EVENT))


def _event(name: bytes, at: int, told: bytes) -> bytes:
    event = _TIME(_AT, at) + name + told
    return _EVENTS + varint(len(event)) + event
