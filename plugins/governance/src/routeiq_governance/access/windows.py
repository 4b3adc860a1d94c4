"""`model_info.access_windows`: times of the day in which a row is kept for some teams.

Which row serves a request is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@dataclass(frozen=True, slots=True)
class AccessWindow:
    """From `start` to `end` by the clocks of `zone` (over midnight when `end` comes first) the row is for `teams`."""

    start: time
    end: time
    zone: ZoneInfo
    teams: frozenset[str]

    def is_open(self, now_ns: int) -> bool:
        """Whether the window holds at a Unix time in nanoseconds."""
        local = datetime.fromtimestamp(now_ns // 1_000_000_000, UTC).astimezone(self.zone).time()
        if self.start < self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end


def windows_of(info: Mapping[str, Any]) -> tuple[AccessWindow, ...]:
    """The windows of a row's `model_info`. Raises `ValueError` that says what is wrong."""
    written = info.get("access_windows")
    if written is None:
        return ()
    if not isinstance(written, list | tuple):
        raise ValueError("access_windows must be a list")
    return tuple(_window(row) for row in written)


def kept_for_others(windows: tuple[AccessWindow, ...], team: str | None, now_ns: int) -> bool:
    """Whether the row is kept for other teams than this one now."""
    held = [window for window in windows if window.is_open(now_ns)]
    return bool(held) and not any(team in window.teams for window in held)


def _window(row: Any) -> AccessWindow:
    if not isinstance(row, Mapping) or set(row) != {"start", "end", "timezone", "team_ids"}:
        raise ValueError("an access window has start, end, timezone and team_ids")
    try:
        start, end = time.fromisoformat(str(row["start"])), time.fromisoformat(str(row["end"]))
    except ValueError:
        raise ValueError("start and end of an access window are times of the day, such as '09:00'") from None
    if start.tzinfo is not None or end.tzinfo is not None or start == end:
        raise ValueError("start and end of an access window differ and carry no UTC offset")
    try:
        zone = ZoneInfo(str(row["timezone"]))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{row['timezone']!r} is no IANA time zone") from None
    teams = row["team_ids"]
    if not isinstance(teams, list | tuple) or not teams or not all(isinstance(team, str) and team for team in teams):
        raise ValueError("team_ids of an access window names at least one team")
    return AccessWindow(start, end, zone, frozenset(teams))
