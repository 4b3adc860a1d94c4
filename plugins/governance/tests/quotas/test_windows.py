"""Windows end where the calendar of their zone says: days of 23 and 25 hours, months of all lengths, sliding edges."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq_governance.quotas.windows import NANO, Calendar, Every, Forever, Rolling

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * NANO


def span(length: str, zone: str, moment: str) -> tuple[str, str]:
    found = Calendar(length, ZoneInfo(zone)).span(at(moment))  # type: ignore[arg-type]
    assert found.end is not None
    begun, ended = (datetime.fromtimestamp(each // NANO, UTC).isoformat() for each in (found.start, found.end))
    return begun.removesuffix("+00:00"), ended.removesuffix("+00:00")


@pytest.mark.parametrize(
    ("length", "zone", "moment", "start", "end"),
    [
        ("day", "UTC", "2026-03-29T12:00:00Z", "2026-03-29T00:00:00", "2026-03-30T00:00:00"),
        ("day", "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00", "2026-03-29T22:00:00"),
        ("day", "Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00", "2026-10-25T23:00:00"),
        ("day", "America/New_York", "2026-03-08T07:30:00Z", "2026-03-08T05:00:00", "2026-03-09T04:00:00"),
        ("day", "Pacific/Kiritimati", "2026-01-01T11:00:00Z", "2026-01-01T10:00:00", "2026-01-02T10:00:00"),
        ("week", "Europe/Berlin", "2026-03-29T21:59:59Z", "2026-03-22T23:00:00", "2026-03-29T22:00:00"),
        ("month", "UTC", "2028-02-29T23:59:59Z", "2028-02-01T00:00:00", "2028-03-01T00:00:00"),
        ("month", "UTC", "2026-12-31T23:59:59Z", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
        ("month", "Europe/Berlin", "2026-03-31T21:59:59Z", "2026-02-28T23:00:00", "2026-03-31T22:00:00"),
        ("hour", "Asia/Kathmandu", "2026-01-01T00:20:00Z", "2026-01-01T00:15:00", "2026-01-01T01:15:00"),
        ("minute", "UTC", "2026-01-01T00:20:59Z", "2026-01-01T00:20:00", "2026-01-01T00:21:00"),
    ],
)
def test_a_calendar_window_begins_and_ends_by_its_zone(length, zone, moment, start, end) -> None:
    assert span(length, zone, moment) == (start, end)


@pytest.mark.parametrize("moment", ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"])
def test_the_hour_that_comes_twice_is_two_windows(moment: str) -> None:
    first, second = (Calendar("hour", BERLIN).span(at(each)) for each in ("2026-10-25T00:30:00Z", moment))
    assert (first == second) is (moment == "2026-10-25T00:30:00Z")


@given(
    st.integers(min_value=0, max_value=4_000_000_000),
    st.sampled_from(["minute", "hour", "day", "week", "month"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_every_moment_lies_in_one_window_and_windows_touch(second: int, length, zone: str) -> None:
    window = Calendar(length, ZoneInfo(zone))
    now = second * NANO
    found = window.span(now)
    assert found.end is not None
    assert found.start <= now < found.end
    assert window.span(found.end).start == found.end
    assert window.span(found.end - 1) == found


@given(st.integers(min_value=0, max_value=3_000_000_000), st.integers(min_value=0, max_value=900_000_000))
@pytest.mark.parametrize("duration", ["30s", "1h", "30d", "2w", "1mo", "3mo"])
def test_a_duration_counts_from_its_beginning(duration: str, since: int, later: int) -> None:
    window = Every(duration, since * NANO)
    now = (since + later) * NANO
    found = window.span(now)
    assert found.end is not None
    assert found.start <= now < found.end
    assert window.span(found.end).start == found.end


def test_a_month_ends_on_the_same_day_or_on_the_last() -> None:
    window = Every("1mo", at("2026-01-31T10:00:00Z"))
    ends = []
    now = at("2026-01-31T10:00:00Z")
    for _ in range(4):
        end = window.span(now).end
        assert end is not None
        ends.append(datetime.fromtimestamp(end // NANO, UTC).date().isoformat())
        now = end
    assert ends == ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]


def test_a_sliding_window_forgets_the_one_before_bit_by_bit() -> None:
    window = Rolling(60)
    start = at("2026-01-01T00:01:00Z")
    weights = [window.span(start + seconds * NANO).previous_weight for seconds in (0, 15, 30, 59)]
    assert weights == [1_000_000, 750_000, 500_000, 16_666]
    assert window.span(start).previous_start == at("2026-01-01T00:00:00Z")


def test_for_ever_has_no_end() -> None:
    assert Forever().span(at("2026-01-01T00:00:00Z")).end is None
