"""Adds a finished request to its rows. This runs once a request on the event loop: one look-up, then additions.

What is rare (refusals, retries, fallbacks, objections of guards) is in `rarely`; names of metrics are in `catalogue`.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from routeiq_prometheus.config import PrometheusConfig
from routeiq_prometheus.exemplars import Exemplars
from routeiq_prometheus.families import OTHER
from routeiq_prometheus.layout import Layout
from routeiq_prometheus.places import Places
from routeiq_prometheus.rarely import Rarely, exception_class
from routeiq_prometheus.rows import LONGEST, Rows
from routeiq_sdk import Context, Record, Usage

_NANO = 1e-9
_MS = 1e-3
_MOST_REMEMBERED = 4
"""Ways of asking that lead to one row; more than this many a row are looked up anew."""


class Recorder:
    """Takes records. `folded` in the process's row counts those whose labels were too many."""

    def __init__(self, config: PrometheusConfig, layout: Layout, rows: Rows, places: Places) -> None:
        self._layout = layout
        self._rows = rows
        self._cells = rows.cells
        self._places = places
        self._end_users = config.end_users
        self._client_labels = config.client_labels
        self._extra = bool(config.end_users or config.client_labels or layout.custom.names)
        self._known: dict[tuple[Any, ...], int] = {}
        self._most_known = config.most_series * _MOST_REMEMBERED
        self._decisions: dict[tuple[str, str], int] = {}
        self._process = rows.find(layout.process, ())[0]
        self.rarely = Rarely(layout, rows, places, self._process)
        self.exemplars = Exemplars()

    def record(self, ctx: Context, record: Record) -> None:
        """Add one request."""
        extra = self._extras(ctx, record) if self._extra else ()
        key = (
            *(record.principal, record.key_alias, record.team, record.user, record.organization),
            *(record.requested_model, record.group, record.deployment_id, record.model),
            *(record.status, record.error_type, record.route, record.stream),
            extra,
        )
        row = self._known.get(key)
        if row is None:
            row = self._row_of(key, ctx, record, extra)
        cells, layout = self._cells, self._layout
        cells[row] += 1.0
        seconds = record.latency_ms * _MS
        total = layout.total
        cell = row + total.at + bisect_left(total.bounds, seconds)
        cells[cell] += 1.0
        cells[row + total.sum] += seconds
        trace = record.trace
        if trace is not None and trace.sampled is not False:
            self.exemplars.note(cell, trace.trace_id, seconds, record.at)
        attempts = record.attempts
        if attempts:
            if record.decision is not None:
                self._decide(record)
            if attempts[-1].kind == "ok":
                self._answered(row, record)
            if len(attempts) > 1 or attempts[-1].kind != "ok":
                self.rarely.attempts(record, self._caller(ctx, record, extra))
            cost = attempts[-1].cost
            if cost is None:
                cost = record.cost
            if cost:
                cells[row + layout.COST] += cost
        usage = record.usage
        if usage is not None:
            self._use(row, usage)
        if record.status < 400:
            self._complete(row, record)
        elif not attempts:
            self.rarely.refused(record)
        if record.rulings:
            self.rarely.rulings(record)
        if record.budgets:
            self.rarely.budgets(record)

    def _answered(self, row: int, record: Record) -> None:
        """Add what the provider's answer took."""
        cells, layout, last = self._cells, self._layout, record.attempts[-1]
        cells[row + layout.ANSWERED] += 1.0
        seconds = last.latency_ms * _MS
        cells[row + layout.provider.at + bisect_left(layout.provider.bounds, seconds)] += 1.0
        cells[row + layout.provider.sum] += seconds
        tokens = record.usage.output_tokens if record.usage is not None else 0
        if record.stream and last.first_byte_ms is not None:
            first = last.first_byte_ms * _MS
            cells[row + layout.provider_first.at + bisect_left(layout.provider_first.bounds, first)] += 1.0
            cells[row + layout.provider_first.sum] += first
            if tokens > 1:
                gap = (seconds - first) / (tokens - 1)
                cells[row + layout.token_gap.at + bisect_left(layout.token_gap.bounds, gap)] += 1.0
                cells[row + layout.token_gap.sum] += gap
            since_arrival = last.started_ms * _MS + first
            cell = row + layout.first_token.at + bisect_left(layout.first_token.bounds, since_arrival)
            cells[cell] += 1.0
            cells[row + layout.first_token.sum] += since_arrival
            trace = record.trace
            if trace is not None and trace.sampled is not False:
                self.exemplars.note(cell, trace.trace_id, since_arrival, record.at)
            seconds = first  # LiteLLM divides the time to the first token of a stream
        if tokens > 0:
            each = seconds / tokens
            cells[row + layout.per_token.at + bisect_left(layout.per_token.bounds, each)] += 1.0
            cells[row + layout.per_token.sum] += each

    def _use(self, row: int, usage: Usage) -> None:
        cells, layout = self._cells, self._layout
        cells[row + layout.INPUT] += usage.input_tokens
        cells[row + layout.OUTPUT] += usage.output_tokens
        if usage.cached_tokens:
            cells[row + layout.CACHED] += usage.cached_tokens
        if usage.cache_write_tokens:
            cells[row + layout.CACHE_WRITE] += usage.cache_write_tokens
        if usage.reasoning_tokens:
            cells[row + layout.REASONING] += usage.reasoning_tokens

    def _complete(self, row: int, record: Record) -> None:
        cells, layout = self._cells, self._layout
        if record.overhead_ms is not None:
            seconds = record.overhead_ms * _MS
            cells[row + layout.overhead.at + bisect_left(layout.overhead.bounds, seconds)] += 1.0
            cells[row + layout.overhead.sum] += seconds
        cost = record.cost if len(record.attempts) < 2 else record.total_cost
        if cost is not None:
            dollars = cost * _NANO
            cells[row + layout.task_cost.at + bisect_left(layout.task_cost.bounds, dollars)] += 1.0
            cells[row + layout.task_cost.sum] += dollars

    def _decide(self, record: Record) -> None:
        decision, layout, cells = record.decision, self._layout, self._cells
        assert decision is not None
        key = (decision.strategy, decision.chosen.model)
        row = self._decisions.get(key)
        if row is None:
            row, own = self._rows.find(layout.decision, key)
            if own:
                self._decisions[key] = row
        cells[row] += 1.0
        many = len(decision.candidates)
        cells[row + layout.candidates.at + bisect_left(layout.candidates.bounds, many)] += 1.0
        cells[row + layout.candidates.sum] += many
        if record.routing_ms is not None:
            seconds = record.routing_ms * _MS
            cells[row + layout.routing.at + bisect_left(layout.routing.bounds, seconds)] += 1.0
            cells[row + layout.routing.sum] += seconds

    def _row_of(self, key: tuple[Any, ...], ctx: Context, record: Record, extra: tuple[str, ...]) -> int:
        asked = record.requested_model or ""
        if asked and record.deployment_id is None and record.routing_ms is None and not self._places.is_group(asked):
            asked = OTHER  # what nobody serves, anybody may ask for
        place = self._places.of(record.deployment_id) if record.deployment_id else None
        labels = (
            *self._caller(ctx, record, extra),
            *(asked, record.group or "", record.model or "", record.deployment_id or ""),
            *((place.api_base, place.api_provider or record.provider or "") if place is not None else ("", "")),
            *(str(record.status), exception_class(record), record.route, "true" if record.stream else "false"),
        )
        row, own = self._rows.find(self._layout.request, labels)
        if not own:
            self._cells[self._process + self._layout.FOLDED] += 1.0
        elif asked != OTHER and max(map(len, labels)) <= LONGEST:  # nobody fills our memory with long names
            if len(self._known) >= self._most_known:
                self._known.clear()
            self._known[key] = row
        return row

    def _caller(self, ctx: Context, record: Record, extra: tuple[str, ...]) -> tuple[str, ...]:
        principal = ctx.identified
        told = principal.attributes if principal is not None else {}
        named = [told.get(name) for name in ("team_alias", "user_email", "organization_alias")]
        team_alias, email, organization_alias = (value if isinstance(value, str) else "" for value in named)
        return (
            *(record.principal or "", record.key_alias or "", record.team or "", team_alias),
            *(record.user or "", email, record.organization or "", organization_alias),
            *(extra or ("", "", "")),
        )

    def _extras(self, ctx: Context, record: Record) -> tuple[str, ...]:
        """End user, client, custom labels: what is not always asked for."""
        end_user = (record.end_user or "") if self._end_users else ""
        client, agent = "", ""
        if self._client_labels:
            client, agent = record.client or "", ctx.headers.get("user-agent", "") or ""
        return (end_user, client, agent, *self._layout.custom.values(ctx.identified, record.tags))
