"""What most requests do not have: refusals, failed attempts, fallbacks, objections of guards, events, calls of tools.

The usual course of a request is in `recorder`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from routeiq_prometheus.families import Family, Labels
from routeiq_prometheus.layout import Layout
from routeiq_prometheus.places import Places
from routeiq_prometheus.rows import Rows
from routeiq_sdk import Event, Outcome, Record
from routeiq_sdk.events import GUARD_HOOKS, ToolCallV1

_CALLER_STAGES = frozenset({"authenticate", "permit"})
"""Refusals at these come as events, for all routes; those of requests for models would else be counted twice."""
_CORE = "routeiq"
_MS = 1e-3


class Rarely:
    """Adds to the small families."""

    def __init__(self, layout: Layout, rows: Rows, places: Places, process: int) -> None:
        self._layout = layout
        self._rows = rows
        self._places = places
        self._process = process
        self.last_status: dict[str, str] = {}
        """By deployment id, the status of its newest failure: why it is benched, if it is."""

    def attempts(self, record: Record, caller: Labels) -> None:
        """Count the attempts that did not answer, and the changes to another model group."""
        asked = record.requested_model or ""
        failed: Outcome | None = None
        for place, attempt in enumerate(record.attempts):
            if place and attempt.group != record.attempts[place - 1].group:
                failed = record.attempts[place - 1]
            last_of_group = place + 1 == len(record.attempts) or record.attempts[place + 1].group != attempt.group
            if failed is not None and last_of_group:
                labels = (*caller, failed.group, attempt.group, *_failure(failed), attempt.deployment_id)
                self._add(self._layout.fallback, (*labels, "ok" if attempt.ok else "failed"))
            if attempt.ok and place + 1 == len(record.attempts):
                continue
            if not attempt.ok:
                self.last_status[attempt.deployment_id] = str(attempt.status)
            known = self._places.of(attempt.deployment_id)
            target = (attempt.group, attempt.model, attempt.deployment_id, known.api_base, attempt.provider)
            row = self._add(self._layout.attempt, (*caller, asked, *target, *_failure(attempt), attempt.kind))
            if attempt.cost and place + 1 < len(record.attempts):  # the last one's is the request's
                self._rows.cells[row + self._layout.ATTEMPTS_COST] += attempt.cost

    def refused(self, record: Record) -> None:
        """Count a request that was refused before any provider was called."""
        if record.stage is None or record.stage in _CALLER_STAGES:
            return
        objected = (ruling.plugin for ruling in record.rulings if ruling.action in ("reject", "fail"))
        labels = (record.stage, str(record.status), next(objected, _CORE))
        self._add(self._layout.refusal, labels)

    def rulings(self, record: Record) -> None:
        """Count what guards objected."""
        for ruling in record.rulings:
            if ruling.hook in GUARD_HOOKS:
                self._add(self._layout.guard, (ruling.plugin, ruling.hook, ruling.action))

    def budgets(self, record: Record) -> None:
        """Note what is left of the budgets that bound a request, its own cost taken off."""
        layout, cells = self._layout, self._rows.cells
        for budget in record.budgets:
            row, own = self._rows.find(layout.budget, (budget.scope, budget.id, budget.alias or ""))
            if own:
                cells[row + layout.TOLD_AT] = record.at
                cells[row + layout.LEFT] = budget.limit - budget.spent - (record.total_cost or 0)
                cells[row + layout.LIMIT] = budget.limit
                cells[row + layout.RESETS_AT] = budget.resets_at or 0

    def events(self, events: Sequence[Event]) -> None:
        """Count events by name, and callers who were refused."""
        for event in events:
            self._add(self._layout.event, (event.name,))
            if event.name == "routeiq.admission.v1" and event.payload.get("stage") in _CALLER_STAGES:
                told = event.payload
                labels = (str(told["stage"]), str(told.get("status", "")), str(told.get("plugin") or _CORE))
                self._add(self._layout.refusal, labels)
            elif event.name == ToolCallV1.NAME:
                self._tool_call(event.payload)

    def _tool_call(self, told: Mapping[str, Any]) -> None:
        layout, cells = self._layout, self._rows.cells
        caller = (told.get(name) or "" for name in ("principal", "key_alias", "team", "user"))
        row = self._add(layout.tool, (told["protocol"], told["server"], told["tool"], told["outcome"], *caller))
        cells[row + layout.TOOL_COST] += told.get("cost") or 0
        seconds, buckets = told["latency_ms"] * _MS, layout.tool_seconds
        cells[row + buckets.at + bisect_left(buckets.bounds, seconds)] += 1.0
        cells[row + buckets.sum] += seconds

    def _add(self, family: Family, labels: Labels) -> int:
        row, own = self._rows.find(family, labels)
        self._rows.cells[row] += 1.0
        if not own:
            self._rows.cells[self._process + self._layout.FOLDED] += 1.0
        return row


def exception_class(record: Record) -> str:
    """The class of a request's failure: of the provider's error in LiteLLM's spelling, else the error's type."""
    if record.status < 400:
        return ""
    last = record.attempts[-1] if record.attempts else None
    if last is not None and not last.ok:
        return _class_of(last)
    return record.error_type or ""


def _failure(attempt: Outcome) -> tuple[str, str]:
    return ("", "") if attempt.ok else (str(attempt.status), _class_of(attempt))


def _class_of(attempt: Outcome) -> str:
    provider = attempt.provider
    return f"{provider[:1].upper()}{provider[1:]}.{attempt.error_type or attempt.kind}" if provider else attempt.kind
