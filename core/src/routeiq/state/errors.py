"""What state and spool raise on purpose. Callers decide by class: refuse, drop, or stop the start.

HTTP statuses are chosen by whoever answers the client.
"""

from __future__ import annotations

from pathlib import Path

from routeiq_sdk import RouteIQError, SpoolFailed


class StateFull(RouteIQError):
    """A bound of the state store is reached and what is there may not be thrown away."""


class SpoolError(SpoolFailed):
    """A spool could not do what was asked. After a failed `append` the spool is usable; the next one tries again."""


class SpoolLocked(SpoolError):
    """Another writer has the directory."""


class SpoolClosed(SpoolError):
    """The spool was closed, or could not write the entry before it closed."""


class SpoolCorrupt(SpoolError):
    """Entries that were acknowledged cannot be read. Names the file and the offset of the first bad byte."""

    def __init__(self, path: Path, offset: int, reason: str) -> None:
        self.path = path
        self.offset = offset
        self.reason = reason
        super().__init__(
            f"{path}, offset {offset}: {reason}. Mend: restore the file from a copy, or open the spool with "
            "on_corrupt='quarantine' to set it aside."
        )
