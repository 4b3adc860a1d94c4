"""The spans of a finished request, as OTLP's bytes: one for the request, one below it for each attempt.

What does not change from request to request is encoded once and kept. Events on spans are in `span_events`.
Source: opentelemetry/proto/trace/v1/trace.proto.
"""

from __future__ import annotations

import random
import struct
from typing import Any

from routeiq_otel import names
from routeiq_otel.attributes import SPAN, DoubleAttribute, IntAttribute, TextAttribute, Value, attribute, attributes
from routeiq_otel.content import content_attributes
from routeiq_otel.kept import Kept
from routeiq_otel.places import Places
from routeiq_otel.privacy import hashed, shown
from routeiq_otel.protobuf import block, integer, text, varint
from routeiq_otel.span_events import events_of_request, router_attributes
from routeiq_otel.taking import Parameters, Taken
from routeiq_sdk import Outcome, Record, TraceContext
from routeiq_sdk.events.of_record import was_routed

SERVER, CLIENT = 2, 3
_ERROR = 2
_MOST_KEPT = 4096
_NANO = 1e-9
_TIMES = struct.Struct("<BQBQ").pack
_START, _END = 0x39, 0x41
_SPANS = b"\x12"  # ScopeSpans.spans
_FLAGS = b"\x85\x01"
_SAMPLED, _REMOTE_KNOWN, _REMOTE = 0x01, 0x100, 0x200
LOCAL_PARENT = _FLAGS + struct.pack("<I", _SAMPLED | _REMOTE_KNOWN)
REMOTE_PARENT = _FLAGS + struct.pack("<I", _SAMPLED | _REMOTE_KNOWN | _REMOTE)

_request_id = TextAttribute(names.REQUEST_ID)
_response_id = TextAttribute(names.RESPONSE_ID)
_end_user = TextAttribute(names.END_USER)
_client = TextAttribute(names.CLIENT_ADDRESS)
_input = IntAttribute(names.INPUT_TOKENS)
_output = IntAttribute(names.OUTPUT_TOKENS)
_cache_read = IntAttribute(names.CACHE_READ_TOKENS)
_cache_write = IntAttribute(names.CACHE_WRITE_TOKENS)
_reasoning = IntAttribute(names.REASONING_TOKENS)
_cost = DoubleAttribute(names.COST)
_overhead = DoubleAttribute(names.OVERHEAD)
_first_chunk = DoubleAttribute(names.FIRST_CHUNK)
_ESTIMATED = attribute(names.ESTIMATED, True, SPAN)


class Spans:
    """Encodes requests. Not thread-safe."""

    def __init__(self, places: Places, *, client_address: bool = False) -> None:
        self._places = places
        self._client_address = client_address
        self._requests = Kept[tuple[Any, ...], bytes](_MOST_KEPT)
        self._attempts = Kept[tuple[Any, ...], bytes](_MOST_KEPT)

    def encode(self, taken: Taken) -> bytes:
        """All spans of a request, as fields of `ScopeSpans`."""
        record = taken.record
        trace = record.trace or TraceContext.begin(None)
        ids = b"\x0a\x10" + bytes.fromhex(trace.trace_id)
        state = text(3, trace.state) if trace.state else b""
        own = bytes.fromhex(trace.span_id)
        spans = [self._request(taken, trace, ids, own, state)]
        for outcome in record.attempts:
            spans.append(self._attempt(taken, outcome, ids, own, state))
        return b"".join(spans)

    def _request(self, taken: Taken, trace: TraceContext, ids: bytes, own: bytes, state: bytes) -> bytes:
        record = taken.record
        end = record.at + int(record.latency_ms * 1e6)
        parts = [
            ids,
            b"\x12\x08",
            own,
            state,
            self._request_constants(taken),
            _TIMES(_START, record.at, _END, end),
            _request_id(record.request_id),
        ]
        add = parts.append
        if trace.parent_span_id is not None:
            add(b"\x22\x08" + bytes.fromhex(trace.parent_span_id) + REMOTE_PARENT)
        else:
            add(LOCAL_PARENT)
        if record.end_user is not None:
            add(_end_user(hashed(record.end_user)))
        if self._client_address and record.client is not None:
            add(_client(record.client))
        if record.usage is not None:
            self._usage(add, record.usage)
        cost = record.cost if len(record.attempts) < 2 else record.total_cost
        if cost is not None:
            add(_cost(cost * _NANO))
        if record.overhead_ms is not None:
            add(_overhead(record.overhead_ms))
        attempts = record.attempts
        if attempts:
            last = attempts[-1]
            if last.response_id is not None:
                add(_response_id(last.response_id))
            if record.stream and last.first_byte_ms is not None:
                add(_first_chunk((last.started_ms + last.first_byte_ms) * 1e-3))
        if was_routed(record):
            router_attributes(add, record)
        events_of_request(add, record, end)
        if record.status >= 500:
            add(failure(record.error, record.error_type))
        if taken.prompt is not None or taken.answer is not None:
            add(content_attributes(taken))
        return finished(parts)

    def _attempt(self, taken: Taken, outcome: Outcome, ids: bytes, parent: bytes, state: bytes) -> bytes:
        record, told = taken.record, taken.span_ids
        own = told.get(outcome.number) if told is not None else None
        start = record.at + int(outcome.started_ms * 1e6)
        parts = [
            ids,
            b"\x12\x08",
            random.getrandbits(64).to_bytes(8, "little") if own is None else bytes.fromhex(own),
            state,
            b"\x22\x08",
            parent,
            self._attempt_constants(record, outcome, taken.parameters),
            _TIMES(_START, start, _END, start + int(outcome.latency_ms * 1e6)),
        ]
        add = parts.append
        if outcome.response_id is not None:
            add(_response_id(outcome.response_id))
        if record.stream and outcome.first_byte_ms is not None:
            add(_first_chunk(outcome.first_byte_ms * 1e-3))
        if outcome.usage is not None:
            self._usage(add, outcome.usage)
        if outcome.cost is not None:
            add(_cost(outcome.cost * _NANO))
        if outcome.kind != "ok":
            add(failure(outcome.message, outcome.error_type or outcome.kind))
        return finished(parts)

    @staticmethod
    def _usage(add: Any, usage: Any) -> None:
        add(_input(usage.input_tokens))
        add(_output(usage.output_tokens))
        if usage.cached_tokens:
            add(_cache_read(usage.cached_tokens))
        if usage.cache_write_tokens:
            add(_cache_write(usage.cache_write_tokens))
        if usage.reasoning_tokens:
            add(_reasoning(usage.reasoning_tokens))
        if usage.estimated:
            add(_ESTIMATED)

    def _request_constants(self, taken: Taken) -> bytes:
        record = taken.record
        key = (
            *(taken.method, record.route, record.status, record.stream, record.action, record.surface, record.config),
            *(record.requested_model, record.group, record.model, record.provider, record.deployment_id),
            *(record.principal, record.key_alias, record.team, record.organization, record.user, record.tags),
            *(record.error_type, record.stage, len(record.attempts)),
            record.attempts[-1].finish_reason if record.attempts else None,
        )
        known = self._requests.get(key)
        if known is None:
            known = self._requests.keep(key, self._new_request_constants(taken))
        return known

    def _new_request_constants(self, taken: Taken) -> bytes:
        record = taken.record
        finish = record.attempts[-1].finish_reason if record.attempts else None
        generates = record.action in names.OPERATIONS
        told: dict[str, Value | None] = {
            names.HTTP_METHOD: taken.method,
            names.HTTP_ROUTE: record.route,
            names.HTTP_STATUS: record.status,
            names.OPERATION: names.operation(record.action) if generates else None,
            names.PROVIDER: names.provider(record.provider),
            names.REQUEST_MODEL: record.requested_model,
            names.RESPONSE_MODEL: record.model,
            names.REQUEST_STREAM: record.stream if generates else None,
            names.FINISH_REASONS: (finish,) if finish is not None else None,
            names.ACTION: record.action or None,
            names.SURFACE: record.surface,
            names.GROUP: record.group,
            names.DEPLOYMENT: record.deployment_id,
            names.PRINCIPAL: hashed(record.principal) if record.principal is not None else None,
            names.KEY_ALIAS: record.key_alias,
            names.USER_HASH: hashed(record.user) if record.user is not None else None,
            names.TEAM: record.team,
            names.ORGANIZATION: record.organization,
            names.TAGS: record.tags or None,
            names.CONFIG: record.config,
            names.ATTEMPTS: len(record.attempts),
            names.STAGE: record.stage,
            names.ERROR_TYPE: record.error_type or (str(record.status) if record.status >= 500 else None),
        }
        return text(5, f"{taken.method} {record.route}") + integer(6, SERVER) + attributes(told, SPAN)

    def _attempt_constants(self, record: Record, outcome: Outcome, parameters: Parameters) -> bytes:
        key = (
            *(record.action, record.stream, parameters, outcome.number, outcome.group, outcome.deployment_id),
            *(outcome.provider, outcome.model, outcome.kind, outcome.status, outcome.error_type, outcome.finish_reason),
        )
        known = self._attempts.get(key)
        if known is None:
            known = self._attempts.keep(key, self._new_attempt_constants(record, outcome, parameters))
        return known

    def _new_attempt_constants(self, record: Record, outcome: Outcome, parameters: Parameters) -> bytes:
        operation = names.operation(record.action)
        address, port = self._places.of(outcome.deployment_id)
        told: dict[str, Value | None] = {
            names.OPERATION: operation,
            names.PROVIDER: names.provider(outcome.provider),
            names.REQUEST_MODEL: outcome.model,
            names.REQUEST_STREAM: record.stream,
            **dict(parameters),
            names.FINISH_REASONS: (outcome.finish_reason,) if outcome.finish_reason is not None else None,
            names.SERVER_ADDRESS: address,
            names.SERVER_PORT: port,
            names.HTTP_STATUS: outcome.status or None,
            names.GROUP: outcome.group,
            names.DEPLOYMENT: outcome.deployment_id,
            names.ATTEMPT_NUMBER: outcome.number,
            names.ATTEMPT_KIND: outcome.kind,
            names.ERROR_TYPE: None if outcome.kind == "ok" else outcome.error_type or outcome.kind,
        }
        head = text(5, f"{operation} {outcome.model}") + integer(6, CLIENT)
        return head + attributes(told, SPAN) + LOCAL_PARENT


def failure(message: str | None, kind: str | None) -> bytes:
    """A status of error."""
    said = text(2, shown(message)) if message else text(2, kind) if kind else b""
    return block(15, said + integer(3, _ERROR))


def finished(parts: list[bytes]) -> bytes:
    """A span of these parts, as a field of `ScopeSpans`."""
    span = b"".join(parts)
    return _SPANS + varint(len(span)) + span
