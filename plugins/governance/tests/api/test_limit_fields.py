"""A merge patch of limits against a plain model of one: a dictionary."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_governance.api import limit_fields
from routeiq_governance.api.fields import checked
from routeiq_governance.identity.limits import Limits

NOW = 1_790_000_000_000_000_000
counts = st.none() | st.integers(0, 2**40)
dollars = st.none() | st.integers(0, 9 * 10**6).map(float) | st.integers(0, 10**15).map(lambda nano: nano / 10**9)
PATCH = st.fixed_dictionaries(
    {},
    optional={
        "max_budget": dollars,
        "soft_budget": dollars,
        "budget_duration": st.none() | st.sampled_from(["30s", "5m", "24h", "30d", "2w", "1mo"]),
        "tpm_limit": counts,
        "rpm_limit": counts,
        "tpd_limit": counts,
        "max_parallel_requests": counts,
    },
)


@given(patches=st.lists(PATCH, max_size=8))
@settings(max_examples=150, deadline=None)
def test_patches_do_what_they_do_to_a_dictionary(patches: list[dict[str, Any]]) -> None:
    limits, model, since = Limits(), {}, None
    for step, patch in enumerate(patches):
        now = NOW + step * 10**12
        if "budget_duration" in patch and patch["budget_duration"] != model.get("budget_duration"):
            since = None if patch["budget_duration"] is None else now
        model |= patch
        limits = limit_fields.patched(limits, checked(patch, limit_fields.CHECKS), now)
        assert limits.budget_since == since
    shown = limit_fields.shown(limits, NOW + 10**13)
    for field in (
        "max_budget",
        "soft_budget",
        "budget_duration",
        "tpm_limit",
        "rpm_limit",
        "tpd_limit",
        "max_parallel_requests",
    ):
        assert shown[field] == model.get(field), field
    assert (shown["budget_reset_at"] is None) == (since is None)
