"""Access windows by the clocks of their zone: over midnight, and on days when clocks change."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from routeiq_governance.access.windows import kept_for_others, windows_of

NIGHT = {"start": "22:00", "end": "06:00", "timezone": "Europe/Berlin", "team_ids": ["batch"]}


def ns(text: str, zone: str = "Europe/Berlin", fold: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()) * 1_000_000_000


@pytest.mark.parametrize(
    ("at", "kept"),
    [
        ("2026-01-10T21:59:59", False),
        ("2026-01-10T22:00:00", True),
        ("2026-01-11T05:59:59", True),
        ("2026-01-11T06:00:00", False),
        ("2026-03-29T05:59:00", True),  # the night is an hour shorter
        ("2026-10-25T05:59:00", True),  # and an hour longer
        ("2026-10-25T06:00:00", False),
    ],
)
def test_a_row_is_kept_in_its_window(at: str, kept: bool) -> None:
    windows = windows_of({"access_windows": [NIGHT]})
    assert kept_for_others(windows, "online", ns(at)) is kept
    assert kept_for_others(windows, None, ns(at)) is kept
    assert kept_for_others(windows, "batch", ns(at)) is False


def test_a_row_without_windows_is_for_everybody() -> None:
    assert kept_for_others(windows_of({}), None, 0) is False


@pytest.mark.parametrize(
    "wrong",
    [
        "all day",
        [{"start": "09:00", "end": "17:00", "timezone": "UTC"}],
        [{**NIGHT, "more": 1}],
        [{**NIGHT, "start": "25:00"}],
        [{**NIGHT, "start": "06:00"}],
        [{**NIGHT, "start": "06:00+02:00"}],
        [{**NIGHT, "timezone": "Europe/Nowhere"}],
        [{**NIGHT, "team_ids": []}],
        [{**NIGHT, "team_ids": [""]}],
    ],
)
def test_windows_that_make_no_sense_are_told(wrong: object) -> None:
    with pytest.raises(ValueError):
        windows_of({"access_windows": wrong})
