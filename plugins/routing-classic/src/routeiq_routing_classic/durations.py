"""Lengths of time as LiteLLM writes them: `30s`, `5m`, `1h`, `1d`, `2w`, `1mo`, or a word such as `daily`.

What a length is for (a budget's window) is decided where it is used.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_WORDS = {"hourly": "1h", "daily": "24h", "weekly": "7d", "monthly": "30d"}
_WRITTEN = re.compile(r"([1-9]\d{0,8})(mo|[smhdw])")


def checked(duration: str) -> str:
    """The duration itself. Raises `ValueError` when it is none."""
    _parts(duration)
    return duration


def seconds_from(now_ns: int, duration: str) -> int:
    """Seconds that the duration lasts when it begins at `now_ns` (Unix time in nanoseconds, UTC). Months are those of
    the calendar; a day that the last month lacks is its last one."""
    number, unit = _parts(duration)
    if unit != "mo":
        return number * _SECONDS[unit]
    start = datetime.fromtimestamp(now_ns // 1_000_000_000, UTC)
    years, month = divmod(start.month - 1 + number, 12)
    year = start.year + years
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return int((start.replace(year=year, month=month + 1, day=day) - start).total_seconds())


def _parts(duration: str) -> tuple[int, str]:
    found = _WRITTEN.fullmatch(_WORDS.get(duration.strip().lower(), duration))
    if found is None or (found[2] == "mo" and int(found[1]) > 1200):
        raise ValueError(
            "not a length of time: write a number with s, m, h, d, w or mo (1d), or hourly, daily, weekly, monthly"
        )
    return int(found[1]), found[2]
