"""Counts finished requests in the instruments. The usual request costs a few look-ups and additions.

Levels of the process (load, breakers, losses) are read at each export; see `levels`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from routeiq_otel import names
from routeiq_otel.attributes import Value
from routeiq_otel.instruments import Instruments
from routeiq_otel.kept import Kept
from routeiq_otel.places import Places
from routeiq_otel.series import Exemplar, Histogram, Sum
from routeiq_sdk import Outcome, Record
from routeiq_sdk.events import GUARD_HOOKS

Labels = dict[str, Value | None]
_NANO = 1e-9
_MS = 1e-3
_OTHER = "other"
_ENTRY = frozenset({"door", "admit", "authenticate", "read"})
_GOVERNED = frozenset({"permit", "authorize", "reserve"})


class _Request(NamedTuple):
    total: Sum
    error: Sum | None
    duration: Histogram
    overhead: Histogram
    cost: Sum
    task_cost: Histogram


class _Call(NamedTuple):
    attempts: Sum
    duration: Histogram
    input: Histogram
    output: Histogram
    first_chunk: Histogram
    first_token: Histogram
    each_token: Histogram
    speed: Histogram


class _Choice(NamedTuple):
    total: Sum
    candidates: Histogram
    duration: Histogram


class Measuring:
    """Adds requests to the instruments."""

    def __init__(self, instruments: Instruments, places: Places, *, most: int) -> None:
        self._to = instruments
        self._places = places
        self._requests = Kept[tuple[Any, ...], _Request](4 * most)
        self._calls = Kept[tuple[Any, ...], _Call](4 * most)
        self._choices = Kept[tuple[str, str, str], _Choice](4 * most)

    def add(self, record: Record, sampled: bool) -> None:
        """Count a request. The traces of sampled ones become exemplars."""
        trace = record.trace
        exemplar = (trace.trace_id, trace.span_id, record.at) if sampled and trace is not None else None
        key = (
            *(record.route, record.status, record.error_type, record.stream, record.requested_model),
            *(record.group, record.provider, record.team),
        )
        row = self._requests.get(key) or self._new_request(key, record)
        row.total.value += 1
        row.duration.add(record.latency_ms * _MS, exemplar)
        if row.error is not None:
            row.error.value += 1
        if record.overhead_ms is not None:
            row.overhead.add(record.overhead_ms * _MS)
        attempts = record.attempts
        for outcome in attempts:
            self._call(record, outcome, exemplar)
        if attempts:
            cost = record.cost if len(attempts) == 1 else record.total_cost
            if cost is not None:
                dollars = cost * _NANO
                row.cost.value += dollars
                if attempts[-1].kind == "ok":
                    row.task_cost.add(dollars, exemplar)
            if len(attempts) > 1:
                self._fallback(attempts)
        if record.decision is not None:
            self._choose(record)
        if record.rulings:
            self._objections(record)
        if record.stage is not None:
            self._refusal(record)

    def _call(self, record: Record, outcome: Outcome, exemplar: Exemplar | None) -> None:
        key = (
            *(record.action, outcome.provider, outcome.model, outcome.group, outcome.deployment_id),
            *(outcome.kind, outcome.error_type),
        )
        row = self._calls.get(key) or self._new_call(key, record, outcome)
        row.attempts.value += 1
        seconds = outcome.latency_ms * _MS
        row.duration.add(seconds, exemplar)
        usage = outcome.usage
        if usage is not None:
            row.input.add(usage.input_tokens)
            if usage.output_tokens:
                row.output.add(usage.output_tokens)
        if outcome.kind != "ok":
            return
        tokens = usage.output_tokens if usage is not None else 0
        if tokens and seconds > 0:
            row.speed.add(tokens / seconds)
        if record.stream and outcome.first_byte_ms is not None:
            first = outcome.first_byte_ms * _MS
            row.first_chunk.add(first, exemplar)
            row.first_token.add(outcome.started_ms * _MS + first, exemplar)
            if tokens > 1 and seconds > first:
                row.each_token.add((seconds - first) / (tokens - 1))

    def _choose(self, record: Record) -> None:
        decision = record.decision
        assert decision is not None
        key = (decision.strategy, decision.version, decision.chosen.model)
        row = self._choices.get(key)
        if row is None:
            strategy = {names.STRATEGY: decision.strategy}
            row = _Choice(
                self._to.decisions.of({**strategy, names.GROUP: decision.chosen.model}),
                self._to.candidates.of(strategy),
                self._to.routing.of(strategy),
            )
            self._choices.keep(key, row)
        row.total.value += 1
        row.candidates.add(len(decision.candidates))
        if record.routing_ms is not None:
            row.duration.add(record.routing_ms * _MS)

    def _fallback(self, attempts: tuple[Outcome, ...]) -> None:
        first, last = attempts[0], attempts[-1]
        if first.group != last.group:
            told = {names.GROUP: first.group, names.FALLBACK: last.group, names.ERROR_TYPE: first.error_type}
            self._to.fallbacks.of(told).add(1)

    def _objections(self, record: Record) -> None:
        for ruling in record.rulings:
            if ruling.hook in GUARD_HOOKS:
                told = {names.PLUGIN: ruling.plugin, names.HOOK: ruling.hook, names.RULING_ACTION: ruling.action}
                self._to.objections.of(told).add(1)

    def _refusal(self, record: Record) -> None:
        instrument = (
            self._to.refusals if record.stage in _ENTRY else self._to.denials if record.stage in _GOVERNED else None
        )
        if instrument is not None:
            plugin = next((r.plugin for r in record.rulings if r.hook not in GUARD_HOOKS), "routeiq")
            told = {
                names.STAGE: record.stage,
                names.HTTP_STATUS: record.status,
                names.RULING_REASON: record.error_type,
                names.PLUGIN: plugin,
            }
            instrument.of(told).add(1)

    def _new_request(self, key: tuple[Any, ...], record: Record) -> _Request:
        asked = record.requested_model
        if asked is not None and record.group is None and not self._places.is_group(asked):
            asked = _OTHER  # what nobody serves, anybody may ask for
        what: Labels = {names.HTTP_ROUTE: record.route, names.HTTP_STATUS: record.status, names.REQUEST_MODEL: asked}
        spent: Labels = {
            names.GROUP: record.group,
            names.PROVIDER: names.provider(record.provider),
            names.TEAM: record.team,
        }
        bad = record.status >= 400
        row = _Request(
            self._to.requests.of({**what, names.REQUEST_STREAM: record.stream}),
            self._to.errors.of({**what, names.ERROR_TYPE: record.error_type}) if bad else None,
            self._to.duration.of({names.HTTP_ROUTE: record.route, names.HTTP_STATUS: record.status}),
            self._to.overhead.of({names.HTTP_ROUTE: record.route}),
            self._to.cost.of(spent),
            self._to.task_cost.of(spent),
        )
        return self._requests.keep(key, row)

    def _new_call(self, key: tuple[Any, ...], record: Record, outcome: Outcome) -> _Call:
        what: Labels = {
            names.OPERATION: names.operation(record.action),
            names.PROVIDER: names.provider(outcome.provider),
            names.REQUEST_MODEL: outcome.model,
        }
        error = None if outcome.kind == "ok" else outcome.error_type or outcome.kind
        to = self._to
        row = _Call(
            to.attempts.of({names.DEPLOYMENT: outcome.deployment_id, names.ATTEMPT_KIND: outcome.kind}),
            to.operations.of({**what, names.ERROR_TYPE: error}),
            to.tokens.of({**what, names.TOKEN_TYPE: "input"}),
            to.tokens.of({**what, names.TOKEN_TYPE: "output"}),
            *(each.of(what) for each in (to.first_chunk, to.first_token, to.each_token, to.speed)),
        )
        return self._calls.keep(key, row)
