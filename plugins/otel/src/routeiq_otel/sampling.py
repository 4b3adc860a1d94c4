"""Which traces are exported: the head's choice by trace id and the caller's wish, the tail's by how the request ended.

The head's is OpenTelemetry's TraceIdRatioBased, below a ParentBased unless told otherwise; a test compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from routeiq_otel.config import Tail
from routeiq_sdk import Record, TraceContext

_ALL = 1 << 64
_NANO = 1_000_000_000
_FINE = frozenset({"ok", "cancelled"})
_BAD = frozenset({"tool_error", "failed", "timeout"})


@dataclass(frozen=True, slots=True)
class Head:
    """Chooses before anything is known of the request, so that every hop of a trace can choose alike."""

    ratio: float = 1.0
    parent_based: bool = True

    def keeps(self, trace: TraceContext) -> bool:
        """Whether the trace is sampled."""
        if self.parent_based and trace.sampled is not None:
            return trace.sampled
        return self.ratio >= 1.0 or within(trace.trace_id, self.ratio)


class Sampling:
    """The whole choice about a finished request."""

    def __init__(self, head: Head, tail: Tail | None) -> None:
        self._head = head
        self._tail = tail

    def keeps(self, record: Record) -> bool:
        """Whether the request's trace is exported. What the tail asks for is kept although the head left it out."""
        trace, tail = record.trace, self._tail
        if trace is None:  # no id to throw dice with: nothing in a gateway makes such a record
            return self._head.ratio > 0
        if tail is None:
            return self._head.keeps(trace)
        if self._remarkable(record, tail):
            return True
        return tail.ratio > 0 and within(trace.trace_id, tail.ratio) and self._head.keeps(trace)

    def keeps_call(self, told: Mapping[str, Any]) -> bool:
        """Whether the spans of a tool's call are exported: `told` is its event's payload."""
        tail, trace_id, cost = self._tail, told["trace_id"], told.get("cost") or 0
        head = self._head.keeps(TraceContext(trace_id, told["span_id"], sampled=told.get("sampled")))
        if tail is None:
            return head
        if tail.errors and told["outcome"] in _BAD:
            return True
        if tail.slower_than_ms is not None and told["latency_ms"] > tail.slower_than_ms:
            return True
        if tail.cost_above_usd is not None and cost > tail.cost_above_usd * _NANO:
            return True
        return tail.ratio > 0 and within(trace_id, tail.ratio) and head

    def _remarkable(self, record: Record, tail: Tail) -> bool:
        if tail.errors and failed(record):
            return True
        if tail.slower_than_ms is not None and record.latency_ms > tail.slower_than_ms:
            return True
        cost = record.total_cost
        return tail.cost_above_usd is not None and cost is not None and cost > tail.cost_above_usd * _NANO


def failed(record: Record) -> bool:
    """Whether something went wrong: the request, one of its attempts (a retry may have helped), a guard's objection."""
    return (
        record.status >= 500
        or any(attempt.kind not in _FINE for attempt in record.attempts)
        or any(ruling.action != "replace" for ruling in record.rulings)
    )


def within(trace_id: str, ratio: float) -> bool:
    """Whether a trace id falls into the share that is kept: the lower 64 bits are a fair dice."""
    return int(trace_id[16:], 16) < round(ratio * _ALL)
