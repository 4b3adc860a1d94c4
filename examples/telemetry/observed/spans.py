"""Spans as OTLP carries them (opentelemetry-proto, `trace.proto`), and the tree that those of one trace make.

How bytes become fields is told in `protobuf`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from observed.protobuf import Fields, fields, messages, real, text, whole

SERVER, CLIENT = 2, 3
_FAILED = 2
_SHOWN = {
    "gen_ai.request.model": "asked",
    "gen_ai.response.model": "answered by",
    "http.response.status_code": "status",
    "error.type": "error",
    "routeiq.attempts": "calls",
    "gen_ai.usage.output_tokens": "output tokens",
    "routeiq.cost_usd": "USD",
}


@dataclass(frozen=True, slots=True)
class Span:
    """One span. Times are nanoseconds, ids hexadecimal."""

    trace: str
    id: str
    parent: str
    name: str
    kind: int
    start: int
    end: int
    failed: bool
    attributes: dict[str, Any]
    events: tuple[str, ...]


def spans_of(export: bytes) -> Iterator[Span]:
    """The spans of an `ExportTraceServiceRequest`."""
    for resource in messages(fields(export), 1):
        for scope in messages(fields(resource), 2):
            for span in messages(fields(scope), 2):
                yield _span(fields(span))


def tree_of(spans: Sequence[Span], trace: str) -> list[str]:
    """The spans of one trace, a line each, children below their parents."""
    own = sorted((span for span in spans if span.trace == trace), key=lambda span: span.start)
    there = {span.id for span in own}
    lines: list[str] = []

    def add(span: Span, depth: int) -> None:
        facts = ", ".join(f"{name} {span.attributes[key]}" for key, name in _SHOWN.items() if key in span.attributes)
        milliseconds = (span.end - span.start) / 1e6
        indent = "  " * depth
        lines.append(f"{indent}{span.name}  {milliseconds:.0f} ms{'  FAILED' if span.failed else ''}")
        lines.append(f"{indent}    {facts}")
        lines.extend(f"{indent}    event {event}" for event in span.events)
        for child in own:
            if child.parent == span.id:
                add(child, depth + 1)

    for span in own:
        if span.parent not in there:
            add(span, 0)
    return lines


def _span(found: Fields) -> Span:
    status = next((fields(status) for status in messages(found, 15)), {})
    return Span(
        trace=_id(found, 1),
        id=_id(found, 2),
        parent=_id(found, 4),
        name=text(found, 5),
        kind=whole(found, 6),
        start=whole(found, 7),
        end=whole(found, 8),
        failed=whole(status, 3) == _FAILED,
        attributes=dict(map(_attribute, messages(found, 9))),
        events=tuple(text(fields(event), 2) for event in messages(found, 11)),
    )


def _id(found: Fields, number: int) -> str:
    return next((value.hex() for value in messages(found, number)), "")


def _attribute(pair: bytes) -> tuple[str, Any]:
    """A `KeyValue`; of its values texts, truths, real numbers, and whole numbers from 0 on."""
    found = fields(pair)
    value = next((fields(each) for each in messages(found, 2)), {})
    told: Any = None
    if 1 in value:
        told = text(value, 1)
    elif 2 in value:
        told = bool(whole(value, 2))
    elif 3 in value:
        told = whole(value, 3)
    elif 4 in value:
        told = float(f"{real(whole(value, 4)):.6g}")
    return text(found, 1), told
