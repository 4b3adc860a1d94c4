"""Log records as OTLP's bytes: one for each finished request, one for each event that plugins and changes emit.

Source: opentelemetry/proto/logs/v1/logs.proto.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from routeiq_otel import names
from routeiq_otel.attributes import LOG, DoubleAttribute, IntAttribute, TextAttribute, Value, any_value, attributes
from routeiq_otel.kept import Kept
from routeiq_otel.privacy import hashed, shown
from routeiq_otel.protobuf import block, fixed64, integer, tag, text
from routeiq_otel.taking import Taken
from routeiq_sdk import Event, Record

_LOG_RECORDS = 2  # ScopeLogs.log_records
_INFO, _WARN, _ERROR = (9, "INFO"), (13, "WARN"), (17, "ERROR")
_NANO = 1e-9
_SAMPLED = tag(8, 5) + b"\x01\x00\x00\x00"
_PEOPLE = frozenset({"principal", "user", "user_id", "end_user", "actor", "email", "user_email"})
_LONGEST_PAYLOAD = 16_000
_MOST_KEPT = 4096

_request_id = TextAttribute(names.REQUEST_ID, LOG)
_end_user = TextAttribute(names.END_USER, LOG)
_client = TextAttribute(names.CLIENT_ADDRESS, LOG)
_error = TextAttribute(names.ERROR_MESSAGE, LOG)
_input = IntAttribute(names.INPUT_TOKENS, LOG)
_output = IntAttribute(names.OUTPUT_TOKENS, LOG)
_cost = DoubleAttribute(names.COST, LOG)
_latency = DoubleAttribute(names.LATENCY, LOG)


def told_by_event(record: Record) -> bool:
    """Whether an event tells of this refusal, so that the record need not."""
    return record.stage in ("authenticate", "permit")


class RequestLogs:
    """Encodes log records of requests. What does not change from request to request is encoded once and kept."""

    def __init__(self, *, client_address: bool) -> None:
        self._client_address = client_address
        self._kept = Kept[tuple[Any, ...], bytes](_MOST_KEPT)

    def encode(self, taken: Taken) -> bytes:
        """The log record of a request."""
        record = taken.record
        usage, trace, cost = record.usage, record.trace, record.total_cost
        end = record.at + int(record.latency_ms * 1e6)
        times = fixed64(1, end) + fixed64(11, end)
        parts = [times, self._constants(taken), _request_id(record.request_id), _latency(record.latency_ms)]
        if record.end_user is not None:
            parts.append(_end_user(hashed(record.end_user)))
        if self._client_address and record.client is not None:
            parts.append(_client(record.client))
        if usage is not None:
            parts += (_input(usage.input_tokens), _output(usage.output_tokens))
        if cost is not None:
            parts.append(_cost(cost * _NANO))
        if record.error:
            parts.append(_error(shown(record.error)))
        if trace is not None:
            parts.append(b"\x4a\x10" + bytes.fromhex(trace.trace_id) + b"\x52\x08" + bytes.fromhex(trace.span_id))
            if taken.sampled:
                parts.append(_SAMPLED)
        return block(_LOG_RECORDS, b"".join(parts))

    def _constants(self, taken: Taken) -> bytes:
        record = taken.record
        key = (
            *(taken.method, record.route, record.status, record.requested_model, record.group, record.deployment_id),
            *(record.provider, record.principal, record.key_alias, record.team, record.user, len(record.attempts)),
            *(record.stage, record.error_type),
        )
        known = self._kept.get(key)
        if known is None:
            known = self._kept.keep(key, _new_constants(taken.method, record))
        return known


def _new_constants(method: str, record: Record) -> bytes:
    told: dict[str, Value | None] = {
        names.HTTP_METHOD: method,
        names.HTTP_ROUTE: record.route,
        names.HTTP_STATUS: record.status,
        names.REQUEST_MODEL: record.requested_model,
        names.GROUP: record.group,
        names.DEPLOYMENT: record.deployment_id,
        names.PROVIDER: names.provider(record.provider),
        names.PRINCIPAL: hashed(record.principal) if record.principal is not None else None,
        names.KEY_ALIAS: record.key_alias,
        names.TEAM: record.team,
        names.USER_HASH: hashed(record.user) if record.user is not None else None,
        names.ATTEMPTS: len(record.attempts),
        names.STAGE: record.stage,
        names.ERROR_TYPE: record.error_type,
    }
    severity = _ERROR if record.status >= 500 else _WARN if record.status >= 400 else _INFO
    said = any_value(f"{method} {record.route} {record.status}")
    return _head(names.REQUEST_EVENT, severity, said) + attributes(told, LOG)


def event_log(event: Event, now: int) -> bytes:
    """The log record of an event. Its body is the payload as JSON, people in it are hashed."""
    payload: dict[str, Any] = _without_people("", event.payload)
    body = json.dumps(payload, ensure_ascii=False, default=str)
    status = payload.get("status")
    bad = payload.get("phase") == "failed" or (isinstance(status, int) and status >= 400)
    trace = str(payload.get("trace_id", ""))
    ids = block(9, bytes.fromhex(trace)) if len(trace) == 32 and _is_hex(trace) else b""
    told: dict[str, Value | None] = {
        names.REQUEST_ID: _text(payload.get("request_id")),
        names.ACTION: _text(payload.get("action")),
        names.STAGE: _text(payload.get("stage")),
    }
    at = event.at if event.at > 0 else now
    cut = body if len(body) <= _LONGEST_PAYLOAD else f"{body[:_LONGEST_PAYLOAD]}..."
    head = _head(event.name, _WARN if bad else _INFO, any_value(cut))
    return block(_LOG_RECORDS, fixed64(1, at) + fixed64(11, now) + head + attributes(told, LOG) + ids)


def _without_people(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(inner): _without_people(str(inner), each) for inner, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_people(name, each) for each in value]
    if isinstance(value, str):
        return hashed(value) if name in _PEOPLE else shown(value) if name in ("error", "message") else value
    return value


def _head(name: str, severity: tuple[int, str], body: bytes) -> bytes:
    number, word = severity
    return integer(2, number) + text(3, word) + block(5, body) + text(12, name)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _is_hex(value: str) -> bool:
    return all(digit in "0123456789abcdef" for digit in value)
