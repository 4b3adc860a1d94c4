"""A log record for each request and each event, bound to its trace, without people and keys."""

from __future__ import annotations

import hashlib
import json

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber

from routeiq_otel.envelope import Envelope
from routeiq_otel.logs import RequestLogs, event_log, told_by_event
from routeiq_otel.taking import Taken
from routeiq_sdk import Event, Record

from .collector import REQUESTS, Export, Received, told, value_of
from .requests import request

KEY = "sk-live-9f8e7d6c5b4a39281706"


def read(encoded: bytes) -> LogRecord:
    body = Envelope({}).around([encoded])
    (log,) = Received([Export("logs", "", {}, body, REQUESTS["logs"].FromString(body))]).logs
    return log


def logged(record: Record, *, sampled: bool = True) -> LogRecord:
    return read(RequestLogs(client_address=False).encode(Taken(record, sampled)))


def test_a_request_is_one_log_record_in_its_trace() -> None:
    record = request(user="alice", team="red", client="198.51.100.7")
    log = logged(record)
    assert record.trace is not None
    assert (log.event_name, value_of(log.body)) == ("routeiq.request", "POST /v1/chat/completions 200")
    assert (log.trace_id.hex(), log.span_id.hex(), log.flags) == (record.trace.trace_id, record.trace.span_id, 1)
    assert log.time_unix_nano == record.at + 210_000_000
    attributes = told(log.attributes)
    assert attributes["user.hash"] == hashlib.sha256(b"alice").hexdigest()[:16]
    assert attributes["routeiq.request_id"] == "req-test"
    assert attributes["routeiq.cost_usd"] == pytest.approx(14_800e-9)
    assert attributes["routeiq.team"] == "red"
    assert "client.address" not in attributes
    assert logged(record, sampled=False).flags == 0


@pytest.mark.parametrize(
    ("status", "severity"),
    [
        (200, SeverityNumber.SEVERITY_NUMBER_INFO),
        (429, SeverityNumber.SEVERITY_NUMBER_WARN),
        (502, SeverityNumber.SEVERITY_NUMBER_ERROR),
    ],
)
def test_the_severity_follows_the_status(status: int, severity: int) -> None:
    log = logged(request(status=status, error_type="x", error=f"bad {KEY}"))
    assert log.severity_number == severity
    if status > 200:
        assert told(log.attributes)["routeiq.error"] == "bad [masked]"


def test_a_refused_caller_is_told_by_the_event_alone() -> None:
    assert told_by_event(request(stage="authenticate"))
    assert not told_by_event(request(stage="reserve"))


def test_an_event_is_a_log_record_with_its_payload() -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    payload = {
        "request_id": "req-1",
        "trace_id": trace,
        "action": "key:create",
        "phase": "failed",
        "status": 400,
        "principal": "p1",
        "user": "alice",
        "error": f"no {KEY}",
        "changes": {"user_id": "bob", "models": ["a"], "max_budget": 5},
    }
    log = read(event_log(Event("routeiq.admin.v1", 1_700, payload), 1_800))
    assert (log.event_name, log.time_unix_nano, log.observed_time_unix_nano) == ("routeiq.admin.v1", 1_700, 1_800)
    assert log.trace_id.hex() == trace
    assert log.severity_number == SeverityNumber.SEVERITY_NUMBER_WARN
    assert told(log.attributes) == {"routeiq.request_id": "req-1", "routeiq.action": "key:create"}
    body = json.loads(value_of(log.body))
    assert body["user"] == hashlib.sha256(b"alice").hexdigest()[:16]
    assert body["changes"]["user_id"] == hashlib.sha256(b"bob").hexdigest()[:16]
    assert body["changes"]["max_budget"] == 5
    assert body["error"] == "no [masked]"


def test_an_odd_event_harms_nobody() -> None:
    log = read(event_log(Event("x.v1", 0, {"trace_id": "zz", "big": "x" * 50_000, "set": {1}, "n": None}), 9))
    assert (log.trace_id, log.time_unix_nano) == (b"", 9)
    assert len(value_of(log.body)) < 17_000
