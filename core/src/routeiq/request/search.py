"""Search among the newest records: which fit, newest first, a page at a time.

How a query is written in a URL is the route's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from routeiq_sdk import Record

MOST = 100


@dataclass(frozen=True, slots=True)
class Search:
    """What records must be like; what is `None` does not matter. `since`, `until` are Unix nanoseconds, `min_cost` is
    nano-USD, `after` the place (time and request id) of the last one on the page before."""

    model: str | None = None
    requested_model: str | None = None
    strategy: str | None = None
    principal: str | None = None
    team: str | None = None
    user: str | None = None
    tag: str | None = None
    status: int | None = None
    error_type: str | None = None
    stage: str | None = None
    min_cost: int | None = None
    min_ms: float | None = None
    since: int | None = None
    until: int | None = None
    after: tuple[int, str] | None = None
    limit: int = MOST

    def fits(self, record: Record) -> bool:
        """Whether a record is one of those."""
        decision = record.decision
        equal = (
            (self.requested_model, record.requested_model),
            (self.strategy, decision.strategy if decision is not None else None),
            (self.principal, record.principal),
            (self.team, record.team),
            (self.user, record.user),
            (self.status, record.status),
            (self.error_type, record.error_type),
            (self.stage, record.stage),
        )
        if any(wanted is not None and wanted != found for wanted, found in equal):
            return False
        if self.model is not None and self.model not in (record.group, record.model):
            return False
        if self.tag is not None and self.tag not in record.tags:
            return False
        if self.min_cost is not None and (record.total_cost or 0) < self.min_cost:
            return False
        if self.min_ms is not None and record.latency_ms < self.min_ms:
            return False
        if (self.since is not None and record.at < self.since) or (self.until is not None and record.at > self.until):
            return False
        return self.after is None or (record.at, record.request_id) < self.after

    def page(self, records: Iterable[Record]) -> list[Record]:
        """The newest that fit."""
        found = sorted((r for r in records if self.fits(r)), key=lambda r: (r.at, r.request_id), reverse=True)
        return found[: self.limit]


def together(pages: Iterable[Iterable[dict[str, Any]]], limit: int) -> list[dict[str, Any]]:
    """The pages of several workers (records as JSON data) as one."""
    rows = [row for page in pages for row in page]
    rows.sort(key=lambda row: (row["at"], row["request_id"]), reverse=True)
    return rows[:limit]
