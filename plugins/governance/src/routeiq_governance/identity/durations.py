"""LiteLLM's durations (`30s`, `24h`, `30d`, `2w`, `1mo`) and the windows that they cut time into.

Calendar windows in a time zone are `quotas.windows`'.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime

NANO = 1_000_000_000
DURATION = re.compile(r"([1-9][0-9]{0,6})(mo|[smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def later(start: int, length: str, times: int = 1) -> int:
    """The Unix ns that lie `times` durations after `start`. A month ends on the same day, or on the month's last.

    Raises `ValueError`.
    """
    number, unit = _parts(length)
    number *= times
    if unit != "mo":
        return start + number * _SECONDS[unit] * NANO
    begun = datetime.fromtimestamp(start // NANO, UTC)
    month = begun.month - 1 + number
    year, month = begun.year + month // 12, month % 12 + 1
    if year > 9999:
        raise ValueError(f"{length!r} ends after the year 9999")
    day = min(begun.day, calendar.monthrange(year, month)[1])
    return int(begun.replace(year=year, month=month, day=day).timestamp()) * NANO + start % NANO


def window(length: str, since: int, now: int) -> tuple[int, int]:
    """Start and end of the window of `length` that holds `now`, counted from `since`. Raises `ValueError`."""
    number, unit = _parts(length)
    if now < since:
        return since, later(since, length)
    if unit != "mo":
        size = number * _SECONDS[unit] * NANO
        start = since + (now - since) // size * size
        return start, start + size
    begun, here = (datetime.fromtimestamp(at // NANO, UTC) for at in (since, now))
    months = (here.year - begun.year) * 12 + here.month - begun.month
    count = max(0, months // number - 1)
    while later(since, length, count + 1) <= now:
        count += 1
    return (since if count == 0 else later(since, length, count)), later(since, length, count + 1)


def resets_at(length: str, since: int, now: int) -> int:
    """When the window that holds `now` ends."""
    return window(length, since, now)[1]


def _parts(length: str) -> tuple[int, str]:
    match = DURATION.fullmatch(length)
    if match is None:
        raise ValueError(f"{length!r} is no duration")
    return int(match[1]), match[2]
