"""LiteLLM's durations cut time into windows without gaps; months end where the calendar says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_governance.identity.durations import later, window


def _at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("start", "length", "end"),
    [
        ("2026-01-01T00:00:00", "30s", "2026-01-01T00:00:30"),
        ("2026-01-01T00:00:00", "30m", "2026-01-01T00:30:00"),
        ("2026-01-01T00:00:00", "30h", "2026-01-02T06:00:00"),
        ("2026-01-01T00:00:00", "30d", "2026-01-31T00:00:00"),
        ("2026-01-01T00:00:00", "2w", "2026-01-15T00:00:00"),
        ("2026-01-31T10:00:00", "1mo", "2026-02-28T10:00:00"),
        ("2028-01-31T10:00:00", "1mo", "2028-02-29T10:00:00"),
        ("2026-01-31T10:00:00", "2mo", "2026-03-31T10:00:00"),
        ("2026-12-31T10:00:00", "1mo", "2027-01-31T10:00:00"),
        ("2026-01-31T10:00:00", "13mo", "2027-02-28T10:00:00"),
    ],
)
def test_when_a_duration_ends(start: str, length: str, end: str) -> None:
    assert later(_at(start), length) == _at(end)


@pytest.mark.parametrize("length", ["", "0d", "-1d", "1", "d", "1y", "1.5h", "1 d", "99999999d", "1d1h", "\u0661d"])
def test_what_is_no_duration(length: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        later(0, length)


def test_a_month_that_ends_after_all_calendars() -> None:
    with pytest.raises(ValueError, match="9999"):
        later(0, "9999999mo")


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 2 * 10**18),
    st.integers(0, 4 * 10**18),
    st.integers(1, 100),
    st.sampled_from(["s", "m", "h", "d", "w", "mo"]),
)
def test_windows_follow_one_another_without_gaps(since: int, now: int, number: int, unit: str) -> None:
    length = f"{number}{unit}"
    start, end = window(length, since, now)
    assert start < end
    if now < since:
        assert start == since
        return
    assert start <= now < end
    assert window(length, since, end)[0] == end
    assert window(length, since, start) == (start, end)


def test_a_monthly_budget_of_the_31st_resets_each_month() -> None:
    since, ends = _at("2026-01-31T00:00:00"), []
    now = since
    for _ in range(4):
        now = window("1mo", since, now)[1]
        ends.append(now)
    assert ends == [_at(f"2026-{day}T00:00:00") for day in ("02-28", "03-31", "04-30", "05-31")]
