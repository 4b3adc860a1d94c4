"""Limits as LiteLLM's API writes them: which fields there are, how a patch changes an entity's limits, how they are
shown.

Which entity has them, and what they do, is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from routeiq_governance.api.fields import Check, count, counts, document, sequence, window
from routeiq_governance.api.shapes import dollars, iso, nano, resets_at, timestamp, wrong
from routeiq_governance.identity.limits import BudgetWindow, Limits

_LIMIT_NAMES = ("max_budget", "budget_limit")
_WINDOW_NAMES = ("budget_duration", "time_period")


def by_model(name: str, value: Any) -> dict[str, BudgetWindow]:
    """`{"gpt-x": {"max_budget": 5, "budget_duration": "1d"}}`, or a bare number for a budget without a window."""
    found = {}
    for model, told in document(name, value).items():
        budget = told if isinstance(told, dict) else {"max_budget": told}
        found[model] = _window(name, budget)
    return found


def _windows(name: str, value: Any) -> tuple[BudgetWindow, ...]:
    """`[{"budget_duration": "1h", "max_budget": 2}, ...]`."""
    found = tuple(_window(name, document(name, told)) for told in sequence(name, value))
    if any(not each.duration for each in found):
        raise wrong(name, "each needs a budget_duration")
    return found


def _window(name: str, told: Mapping[str, Any]) -> BudgetWindow:
    limit = next((told[each] for each in _LIMIT_NAMES if told.get(each) is not None), None)
    length = next((told[each] for each in _WINDOW_NAMES if told.get(each) is not None), None)
    if limit is None:
        raise wrong(name, "each needs a max_budget")
    return BudgetWindow(duration="" if length is None else window(name, length), limit=nano(name, limit))


_FIELDS: Mapping[str, tuple[str, Check]] = {
    "max_budget": ("budget", nano),
    "soft_budget": ("soft_budget", nano),
    "budget_duration": ("budget_duration", window),
    "budget_limits": ("budget_windows", _windows),
    "model_max_budget": ("model_budgets", by_model),
    "tpm_limit": ("tokens_a_minute", count),
    "rpm_limit": ("requests_a_minute", count),
    "tpd_limit": ("tokens_a_day", count),
    "max_parallel_requests": ("concurrent", count),
    "model_rpm_limit": ("model_requests_a_minute", counts),
    "model_tpm_limit": ("model_tokens_a_minute", counts),
    "tag_rpm_limit": ("tag_requests_a_minute", counts),
    "temp_budget_increase": ("extra_budget", nano),
    "temp_budget_expiry": ("extra_until", timestamp),
}
CHECKS: Mapping[str, Check] = {name: check for name, (_, check) in _FIELDS.items()}
_EMPTY = Limits()
_DEFAULTS = {attribute: getattr(_EMPTY, attribute) for attribute, _ in _FIELDS.values()}


def patched(limits: Limits, fields: Mapping[str, Any], now: int) -> Limits:
    """Limits after a merge patch of checked fields: an absent one stays, `None` clears. A new `budget_duration` begins
    its window `now` (Unix ns); nothing else moves it."""
    changes = {
        attribute: _DEFAULTS[attribute] if fields[name] is None else fields[name]
        for name, (attribute, _) in _FIELDS.items()
        if name in fields
    }
    if "budget_duration" in changes and changes["budget_duration"] != limits.budget_duration:
        changes["budget_since"] = None if changes["budget_duration"] is None else now
    return msgspec.structs.replace(limits, **changes)


def shown(limits: Limits, now: int) -> dict[str, Any]:
    """The fields that all of LiteLLM's entities have, money in dollars."""
    return {
        "max_budget": _dollars(limits.budget),
        "soft_budget": _dollars(limits.soft_budget),
        "budget_duration": limits.budget_duration,
        "budget_reset_at": _reset(limits, now),
        "budget_limits": [_shown_window(each) for each in limits.budget_windows] or None,
        "model_max_budget": {model: _shown_window(each) for model, each in limits.model_budgets.items()},
        "tpm_limit": limits.tokens_a_minute,
        "rpm_limit": limits.requests_a_minute,
        "tpd_limit": limits.tokens_a_day,
        "max_parallel_requests": limits.concurrent,
    }


def shown_in_metadata(limits: Limits) -> dict[str, Any]:
    """What LiteLLM keeps in metadata, where its clients read it."""
    by_name = {
        "model_rpm_limit": dict(limits.model_requests_a_minute),
        "model_tpm_limit": dict(limits.model_tokens_a_minute),
        "tag_rpm_limit": dict(limits.tag_requests_a_minute),
    }
    return {name: value for name, value in by_name.items() if value}


def temporary(limits: Limits) -> dict[str, Any]:
    """A temporary increase."""
    until = None if limits.extra_until is None else iso(limits.extra_until)
    return {"temp_budget_increase": _dollars(limits.extra_budget), "temp_budget_expiry": until}


def _dollars(amount: int | None) -> float | None:
    return None if amount is None else dollars(amount)


def _reset(limits: Limits, now: int) -> str | None:
    if limits.budget_duration is None or limits.budget_since is None:
        return None
    return iso(resets_at(limits.budget_duration, limits.budget_since, now))


def _shown_window(budget: BudgetWindow) -> dict[str, Any]:
    found: dict[str, Any] = {"max_budget": dollars(budget.limit)}
    if budget.duration:
        found["budget_duration"] = budget.duration
    return found
