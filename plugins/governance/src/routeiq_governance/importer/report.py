"""What an import did, to be shown: for each kind of thing how many were found, came over, were there already, were left
out, and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from routeiq_sdk import RouteIQError


class ImportFailed(RouteIQError):
    """An import that cannot begin, or not go on."""


class LeftOut(Exception):
    """One thing that does not come over. Its text is the reason."""


@dataclass(slots=True)
class Line:
    """One kind of thing."""

    kind: str
    found: int = 0
    imported: int = 0
    present: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about one thing: why it was left out, or what of it did not come over."""

    kind: str
    name: str
    text: str


@dataclass(slots=True)
class Report:
    """The whole import."""

    lines: dict[str, Line] = field(default_factory=dict)
    reasons: list[Remark] = field(default_factory=list)
    notes: list[Remark] = field(default_factory=list)

    def line(self, kind: str) -> Line:
        """The line of a kind."""
        return self.lines.setdefault(kind, Line(kind))

    def leave_out(self, kind: str, name: str, reason: str) -> None:
        """One thing does not come over."""
        self.line(kind).left_out += 1
        self.reasons.append(Remark(kind, name, reason))

    def note(self, kind: str, name: str, text: str) -> None:
        """Something worth knowing about what came over."""
        self.notes.append(Remark(kind, name, text))

    @property
    def imported(self) -> int:
        """How many things came over."""
        return sum(line.imported for line in self.lines.values())

    def as_json(self) -> dict[str, Any]:
        """The report for machines."""
        return {
            "imported": {
                line.kind: {
                    "found": line.found,
                    "imported": line.imported,
                    "already_there": line.present,
                    "left_out": line.left_out,
                }
                for line in self.lines.values()
            },
            "left_out": _remarks(self.reasons),
            "notes": _remarks(self.notes),
        }


def _remarks(remarks: Sequence[Remark]) -> list[dict[str, str]]:
    return [{"kind": each.kind, "name": each.name, "text": each.text} for each in remarks]
