"""Audit lines of every kind of event, made as the gateway makes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from routeiq_audit.chain import Head, chained
from routeiq_audit.entry import Entries, Entry
from routeiq_sdk import Event, Outcome, Record, Ruling, Usage
from routeiq_sdk.events import AdminV1, AdmissionV1, Contract, SignInV1, ToolCallV1, events_of

AT = 1_767_323_045_123_000_000
_TIME = "2026-01-02T03:04:05.123Z"
_ACTIONS = (
    *("key:create", "key:rotate", "key:block", "key:delete", "user:create", "user:update", "customer:delete"),
    *("team:create", "team:update", "model:delete", "spend:reset", "gateway:reload"),
    *("role:create", "role:delete", "binding:create", "binding:delete", "policy:update", "cedar:test"),
)


def record(**changes: Any) -> Record:
    """A request that a model answered, with `changes`."""
    usage = Usage(input_tokens=10, output_tokens=5)
    calls = (
        Outcome(1, "dep-1", "openai", "gpt-x", "error", 500, 9.5, True, error_type="server_error", group="fast"),
        Outcome(2, "dep-2", "openai", "gpt-y", "ok", 200, 12.25, True, 3.5, usage, 700, group="slow"),
    )
    facts: dict[str, Any] = {
        "request_id": "req-1",
        "decision_id": "dec-1",
        "at": AT,
        "surface": "openai",
        "route": "/v1/chat/completions",
        "status": 200,
        "stream": False,
        "requested_model": "fast",
        "model": "gpt-y",
        "deployment_id": "dep-2",
        "provider": "openai",
        "principal": "hash-of-key",
        "team": "team-1",
        "user": "alice",
        "end_user": None,
        "tags": ("a",),
        "decision": None,
        "attempts": calls,
        "usage": usage,
        "cost": 700,
        "price_version": "p1",
        "latency_ms": 30.0,
        "first_byte_ms": 20.0,
        "overhead_ms": 1.0,
        "config": "c1",
        "group": "slow",
        "action": "chat:create",
        "client": "192.0.2.7",
    }
    return Record(**(facts | changes))


def lines() -> list[dict[str, Any]]:
    """One chain with a line of each kind."""
    made = chained("gtest-0", Head(), list(_entries()))
    return [orjson.loads(line) for line in made.lines]


def _entries() -> Iterator[Entry]:
    entries = Entries("none")
    for contract in _contracts():
        yield entries.of_event(contract.event(AT))
    yield from (entries.of_event(Event(name, AT, payload)) for name, payload in _OTHERS)
    refused = record(attempts=(), status=429, stage="reserve", error_type="budget_exceeded", error="no money left")
    objection = Ruling("guard_request", "pii", "reject", 400, "content_policy_violation")
    for one in (record(), refused, record(rulings=(objection,)), record(status=502, error="all failed", client=None)):
        yield from entries.of_record(one, guards=True, requests=True)


def _contracts() -> Iterator[Contract]:
    who: dict[str, Any] = {"principal": "hash-of-key", "user": "alice", "team": "team-1"}
    for number, action in enumerate(_ACTIONS):
        for phase, status in (("asked", 0), ("done", 200), ("failed", 403)):
            yield AdminV1(
                event_id=f"admin-{number}-{phase}",
                timestamp_utc=_TIME,
                request_id=f"req-{number}",
                trace_id="0" * 32,
                phase=phase,  # type: ignore[arg-type]
                action=action,
                method="POST",
                route="/a/{b}",
                status=status,
                principal_kind=("admin", "key", "user", "service")[number % 4],
                client="192.0.2.7",
                target={"id": "t-1"} if number % 2 else {},
                changes={"max_budget": 3.5},
                error="not allowed" if phase == "failed" else None,
                **who,
            )
    for stage in ("door", "admit", "authenticate", "permit", "read", "authorize", "route", "reserve"):
        yield AdmissionV1(
            event_id=f"refused-{stage}",
            timestamp_utc=_TIME,
            request_id="req-2",
            trace_id="0" * 32,
            stage=stage,
            status=401,
            reason="auth_error",
            message="no such key",
            plugin=None,
            route="/v1/chat/completions",
            action="chat:create",
            principal=None,
            user=None,
            team=None,
            client=None,
            requested_model="fast",
        )
    for step in ("signed_in", "signed_out", "refused"):
        yield SignInV1(
            event_id=f"sign-{step}",
            timestamp_utc=_TIME,
            request_id="req-3",
            step=step,  # type: ignore[arg-type]
            client="2001:db8::7",
            reason="no group" if step == "refused" else None,
            **who,
        )
    for outcome in ("ok", "tool_error", "refused"):
        yield ToolCallV1(
            event_id=f"tool-{outcome}",
            timestamp_utc=_TIME,
            request_id="req-4",
            trace_id="0" * 32,
            protocol="mcp",
            server="files",
            tool="read",
            argument_names=("path",),
            arguments_sha256="0" * 64,
            outcome=outcome,  # type: ignore[arg-type]
            latency_ms=2.5,
            attributes={"virtual_server": "desk", "auth_mode": "vault"},
            **who,
        )
    yield from events_of(record(rulings=(Ruling("stream_filter", "words", "stop", 0, "bad word"),)))


_OTHERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("routeiq.scim.v1", {"what": "user", "id": "u-1"}),
    ("routeiq.quota.v1", {"kind": "soft_0.8", "subject": "team-1"}),
    ("routeiq.audit_loss.v1", {"event_id": "loss-1", "dropped": 7, "policy": "drop_oldest", "total": 9}),
    ("routeiq.attempt_started.v1", {"event_id": "s-1", "request_id": "req-5", "deployment_id": "dep-1", "model": "m"}),
    ("somebody.elses.v3", {"what": [1, 2.5, None, {"deep": True}]}),
)
