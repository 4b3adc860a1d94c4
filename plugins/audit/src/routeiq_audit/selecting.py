"""Which lines a command is asked for, by class, person, stream and time.

Reading them is the business of `sources`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from routeiq_audit.sources import Line, Part
from routeiq_audit.who import user_of

_AGO = re.compile(r"(\d+)([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class Selection:
    """Empty fields select everything. `since` is included, `until` is not; both are as in the lines (see `moment`).
    `principal` is a credential's id or a user."""

    classes: frozenset[str] = frozenset()
    principal: str | None = None
    stream: str | None = None
    since: str = ""
    until: str = ""

    def takes(self, line: Line) -> bool:
        """Whether a line is wanted."""
        if self.classes and line.get("class") not in self.classes:
            return False
        time = str(line.get("time", ""))
        if (self.since and time < self.since) or (self.until and time >= self.until):
            return False
        return self.principal is None or self.principal in people(line.get("event"))

    def lines(self, parts: Iterable[Part]) -> Iterator[Line]:
        """The wanted lines of some objects, in their order."""
        for part in parts:
            if (self.stream is None or part.stream == self.stream) and part.day >= self.since[:10]:
                yield from (line for line in part.read() if self.takes(line))


def people(event: Any) -> tuple[str, ...]:
    """The credential's id and the user of an event."""
    if not isinstance(event, Mapping):
        return ()
    return tuple(str(one) for one in (event.get("principal"), user_of(event)) if one)


def moment_of(text: str, now: datetime | None = None) -> str:
    """A point in time as it stands in lines: from a date, a date and time (UTC without an offset), or an age such as
    `90m`, `12h`, `7d`. Raises `ValueError`."""
    ago = _AGO.fullmatch(text)
    if ago is not None:
        at = (now or datetime.now(UTC)) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    else:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
