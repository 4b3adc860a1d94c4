"""Numbered placeholders of one request, and putting back what they stand for.

The book lives as long as its request and is written nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from routeiq_sdk.guards import Finding

_PLACEHOLDER = re.compile(r"<([A-Z][A-Z0-9_]{1,40})_([0-9]{1,6})>")
_BEGUN = re.compile(r"<[A-Z0-9_]{0,50}")


class Book:
    """Which placeholder stands for which value. `open` until the request is sent: answers add nothing to it."""

    def __init__(self) -> None:
        self.open = True
        self._numbers: dict[tuple[str, str], str] = {}
        self._values: dict[str, str] = {}
        self._taken: set[str] = set()
        self._last: dict[str, int] = {}

    def avoid(self, texts: Iterable[str]) -> None:
        """Give out no placeholder that stands in these texts already: whoever wrote it knows no value for it."""
        for text in texts:
            if "<" in text:
                self._taken.update(match[0] for match in _PLACEHOLDER.finditer(text) if match[0] not in self._values)

    def placeholder(self, entity: str, value: str) -> str:
        """The same for the same value."""
        known = self._numbers.get((entity, value))
        if known is not None:
            return known
        number = self._last.get(entity, 0) + 1
        while (made := f"<{entity}_{number}>") in self._taken:
            number += 1
        self._last[entity] = number
        self._numbers[entity, value] = made
        self._values[made] = value
        return made

    def __bool__(self) -> bool:
        return bool(self._values)

    # As an inspector of answers

    def inspect(self, text: str, part: str) -> Sequence[Finding]:
        """The placeholders that the book knows, each with its value."""
        if "<" not in text:
            return ()
        values = self._values
        return [
            Finding(*match.span(), match[1], values[match[0]])
            for match in _PLACEHOLDER.finditer(text)
            if match[0] in values
        ]

    def settled(self, text: str) -> int:
        """All but a placeholder that has begun."""
        at = text.rfind("<")
        return at if at >= 0 and _BEGUN.fullmatch(text, at) else len(text)
