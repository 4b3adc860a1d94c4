"""One audit event on its way to the chain, and its class. Made from contract events; spelled canonically once.

Writing it down is `writer`'s business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from routeiq_audit.canonical import canonical
from routeiq_audit.decision_bytes import decision_bytes
from routeiq_audit.sealed import ALL
from routeiq_sdk import Attempt, Context, Event, Record
from routeiq_sdk.events import Contract, RouterDecisionV2
from routeiq_sdk.events.contract import moment
from routeiq_sdk.events.of_record import admission_of, guards_of, was_routed

STARTED = "routeiq.attempt_started.v1"
LOSS = "routeiq.audit_loss.v1"
_POLICY = frozenset({"policy", "role", "binding", "cedar", "guardrail"})
_WHO = frozenset({"authenticate", "permit"})
_CLASS_OF = {
    "routeiq.sign_in.v1": "auth",
    "routeiq.scim.v1": "auth",
    "routeiq.router_decision.v1": "request",
    "routeiq.router_decision.v2": "request",
    "routeiq.attempt.v1": "request",
    "routeiq.usage.v1": "request",
    "routeiq.guard.v1": "guard",
    "routeiq.tool_call.v1": "tool",
    LOSS: "admin",
    STARTED: "request",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """`event` is canonical JSON; `time` is ISO 8601; `id` is unique among all events of a gateway."""

    kind: str
    name: str
    time: str
    id: str
    tenant: str
    event: bytes


def class_of(name: str, payload: Any) -> str:
    """The class of an event: admin, policy, auth, request, guard, tool or other."""
    if name == "routeiq.admin.v1":
        return "policy" if str(payload.get("action", "")).partition(":")[0] in _POLICY else "admin"
    if name == "routeiq.admission.v1":
        return "auth" if payload.get("stage") in _WHO else "request"
    return _CLASS_OF.get(name, "other")


class Entries:
    """Makes entries. `tenant_by` says whose are kept apart: `none`, `team` or `organization`."""

    def __init__(self, tenant_by: str) -> None:
        self._tenant_by = tenant_by

    def of_event(self, event: Event) -> Entry:
        """The entry of an event that came by `commit` or `emit`."""
        payload = event.payload
        id = str(payload.get("event_id") or f"{event.name}-{event.at}")
        tenant = str(payload.get("team") or ALL) if self._tenant_by == "team" else ALL
        return Entry(class_of(event.name, payload), event.name, moment(event.at), id, tenant, canonical(payload))

    def of_record(self, record: Record, guards: bool, requests: bool) -> Iterator[Entry]:
        """The entries of a finished request; a refused caller's came by `commit` before."""
        tenant = self._tenant(record.team, record.organization)
        if requests:
            if was_routed(record):
                id = record.decision_id or f"dec-{record.request_id}"
                yield Entry("request", RouterDecisionV2.NAME, moment(record.at), id, tenant, decision_bytes(record))
            elif record.stage not in _WHO and (refusal := admission_of(record)) is not None:
                yield _entry("request", refusal, tenant)
        if guards and record.rulings:
            for objection in guards_of(record):
                yield _entry("guard", objection, tenant)

    def of_attempt(self, ctx: Context, attempt: Attempt) -> Entry:
        """The entry of a call that is about to be made."""
        principal = ctx.principal
        told = {
            "event_id": f"{ctx.request_id}-attempt-{attempt.number}-started",
            "request_id": ctx.request_id,
            "decision_id": ctx.decision_id,
            "trace_id": ctx.trace.trace_id,
            "number": attempt.number,
            "deployment_id": attempt.deployment.id,
            "group": attempt.deployment.group,
            "provider": attempt.deployment.provider,
            "model": attempt.deployment.model,
            "principal": principal.id,
            "user": principal.user,
            "team": principal.team,
            "config_hash": ctx.config,
        }
        tenant = self._tenant(principal.team, principal.organization)
        return Entry("request", STARTED, moment(ctx.received_at), str(told["event_id"]), tenant, canonical(told))

    def _tenant(self, team: str | None, organization: str | None) -> str:
        if self._tenant_by == "none":
            return ALL
        return (team if self._tenant_by == "team" else organization) or ALL


def _entry(kind: str, event: Contract, tenant: str) -> Entry:
    told: Any = event
    return Entry(kind, event.NAME, told.timestamp_utc, told.event_id, tenant, canonical(event.payload()))


def packed(entries: Sequence[Entry]) -> bytes:
    """Entries as one spool entry: two lines each, which hold no line breaks since they are JSON."""
    lines = []
    for entry in entries:
        lines.append(orjson.dumps((entry.kind, entry.name, entry.time, entry.id, entry.tenant)))
        lines.append(entry.event)
    return b"\n".join(lines)


def unpacked(payload: bytes) -> list[Entry]:
    """What `packed` made."""
    lines = payload.split(b"\n")
    found = []
    for head, event in zip(lines[::2], lines[1::2], strict=True):
        kind, name, time, id, tenant = orjson.loads(head)
        found.append(Entry(kind, name, time, id, tenant, event))
    return found
