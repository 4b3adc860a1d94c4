"""What may be set on an entity to bound its use, as the database keeps it.

LiteLLM's names and units (dollars, "30d") are the API's business; how limits become meters is that of `quotas`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class BudgetWindow(msgspec.Struct, frozen=True, omit_defaults=True):
    """Money for one more window: `limit` in nano-USD each `duration` (`1h`, `30d`, `1mo`)."""

    duration: str
    limit: int


class Limits(msgspec.Struct, frozen=True, omit_defaults=True):
    """Bounds of one entity. Money is nano-USD; a `None` does not bound.

    `budget` holds for each `budget_duration` (LiteLLM's form: `30s`, `24h`, `30d`, `1mo`), or for ever without one; the
    current window began at `budget_since` (Unix ns).
    """

    budget: int | None = None
    soft_budget: int | None = None
    budget_duration: str | None = None
    budget_since: int | None = None
    budget_windows: tuple[BudgetWindow, ...] = ()
    model_budgets: Mapping[str, BudgetWindow] = {}
    requests_a_minute: int | None = None
    tokens_a_minute: int | None = None
    tokens_a_day: int | None = None
    concurrent: int | None = None
    model_requests_a_minute: Mapping[str, int] = {}
    model_tokens_a_minute: Mapping[str, int] = {}
    tag_requests_a_minute: Mapping[str, int] = {}
    extra_budget: int | None = None
    """A temporary increase of `budget`, until `extra_until` (Unix ns)."""
    extra_until: int | None = None


_NONE = Limits()


def over(shared: Limits | None, own: Limits) -> Limits:
    """What binds an entity that names a shared budget: the budget's limits, and its own where it has them."""
    if shared is None:
        return own
    changes = {name: value for name in own.__struct_fields__ if (value := getattr(own, name)) != getattr(_NONE, name)}
    if "budget_duration" not in changes and shared.budget_duration is None:
        changes.pop("budget_since", None)
    return msgspec.structs.replace(shared, **changes)
