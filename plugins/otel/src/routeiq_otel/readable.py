"""Our spans as OpenTelemetry's SDK knows them: `ReadableSpan` objects, read back from the OTLP bytes of `spans`.

So both ways tell the same ids and attributes. Imported only when an exporter of the ecosystem is configured.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from routeiq_otel.envelope import SCOPE, version_of_gateway
from routeiq_otel.protobuf import fields

_TRACE_ID, _SPAN_ID, _STATE, _PARENT, _NAME, _KIND, _START, _END, _ATTRIBUTE = range(1, 10)
_EVENT, _STATUS, _FLAGS = 11, 15, 16
_EVENT_AT, _EVENT_NAME, _EVENT_ATTRIBUTE = 1, 2, 3
_REMOTE = 0x200
_MOST_KEPT = 4096
_LONGEST_KEPT = 128
"""Bytes of an attribute whose reading is remembered: the names, models and teams that come again and again."""
_KINDS = (SpanKind.INTERNAL, SpanKind.INTERNAL, SpanKind.SERVER, SpanKind.CLIENT)
_UNSET = Status(StatusCode.UNSET)
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_double = struct.Struct("<d").unpack


class Readable:
    """Reads spans. All of them have the resource that the gateway's own exports have."""

    def __init__(self, resource: Mapping[str, str | int]) -> None:
        self._resource = Resource(dict(resource))
        self._scope = InstrumentationScope(SCOPE, version_of_gateway())

    def spans(self, body: bytes) -> list[ReadableSpan]:
        """The spans in `body`, which are fields of `ScopeSpans`."""
        return [self._span(span) for _, span in fields(body) if isinstance(span, bytes)]

    def _span(self, message: bytes) -> ReadableSpan:
        told: dict[int, Any] = {}
        attributes: dict[str, Any] = {}
        events = []
        for number, value in fields(message):
            if number == _ATTRIBUTE:
                _add(attributes, value)
            elif number == _EVENT:
                events.append(_event(value))
            else:
                told[number] = value
        trace_id, state = int.from_bytes(told[_TRACE_ID], "big"), _state(told.get(_STATE, b""))
        parent = None
        if _PARENT in told:
            remote = bool(int.from_bytes(told[_FLAGS], "little") & _REMOTE)
            parent = SpanContext(trace_id, int.from_bytes(told[_PARENT], "big"), remote, _SAMPLED, state)
        return ReadableSpan(
            name=_text(told[_NAME]),
            context=SpanContext(trace_id, int.from_bytes(told[_SPAN_ID], "big"), False, _SAMPLED, state),
            parent=parent,
            resource=self._resource,
            attributes=attributes,
            events=events,
            kind=_KINDS[told[_KIND]],
            status=_status(told[_STATUS]) if _STATUS in told else _UNSET,
            start_time=int.from_bytes(told[_START], "little"),
            end_time=int.from_bytes(told[_END], "little"),
            instrumentation_scope=self._scope,
        )


def _event(message: Any) -> Event:
    at, name = 0, ""
    attributes: dict[str, Any] = {}
    for number, value in fields(message):
        if number == _EVENT_ATTRIBUTE:
            _add(attributes, value)
        elif number == _EVENT_NAME:
            name = _text(value)
        elif number == _EVENT_AT and isinstance(value, bytes):
            at = int.from_bytes(value, "little")
    return Event(name, attributes, at)


def _status(message: Any) -> Status:
    told = dict(fields(message))
    said = _text(told[2]) if 2 in told else None
    code = StatusCode(told.get(3, 0))
    return Status(code, said if code is StatusCode.ERROR else None)


@lru_cache(maxsize=256)
def _state(header: bytes) -> TraceState:
    return TraceState.from_header([_text(header)])


def _add(attributes: dict[str, Any], message: Any) -> None:
    name, value = _known_attribute(message) if len(message) <= _LONGEST_KEPT else _attribute(message)
    if value is not None:
        attributes[name] = value


def _attribute(message: bytes) -> tuple[str, Any]:
    told: dict[int, Any] = dict(fields(message))
    return _text(told[1]), _value(told[2])


_known_attribute = lru_cache(maxsize=_MOST_KEPT)(_attribute)


def _value(message: bytes) -> Any:
    for kind, told in fields(message):
        if isinstance(told, int):
            return bool(told) if kind == 2 else told - (told >> 63 << 64)
        if kind == 1:
            return _text(told)
        if kind == 4:
            return _double(told)[0]
        return tuple(_value(each) for _, each in fields(told) if isinstance(each, bytes))
    return None


def _text(value: Any) -> str:
    text: str = value.decode("utf-8")
    return text
