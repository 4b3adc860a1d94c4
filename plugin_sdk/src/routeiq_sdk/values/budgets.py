"""A budget that bound a request, as it stood when the request was admitted: for metrics and records.

Holding money and refusing is the business of whoever keeps budgets.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """Money that one key, team, user, organization or customer may spend. Amounts are in nano-USD.

    `scope` is `key`, `team`, `user`, `organization` or `customer`; `id` and `alias` say which one. `spent` is without
    what this request cost. `resets_at` is Unix time in nanoseconds, `None` for a budget that never starts anew.
    """

    scope: str
    id: str
    limit: int
    spent: int
    alias: str | None = None
    resets_at: int | None = None
