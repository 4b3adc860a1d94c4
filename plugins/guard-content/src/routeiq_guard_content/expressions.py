"""Regular expressions in linear time (RE2), found as a text grows.

Which expressions is the options' business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import re2

from routeiq_guard_content.spans import Span
from routeiq_sdk.guards import last_separator

_PIECE = 1024
"""Characters of a whole text that are looked at together, once something is known to stand in it."""


@dataclass(frozen=True, slots=True)
class Expression:
    """One expression. In a stream its matches have at most `longest` characters; those of a `solid` one hold no white
    space. `accept` has the last word on a match; with `again`, the next one may then begin within it."""

    label: str
    pattern: str
    replacement: str | None
    longest: int
    solid: bool = False
    accept: Callable[[str], bool] | None = None
    again: bool = False


def compiled(pattern: str, memory: int | None = None) -> Any:
    """The expression, ready for use. Raises `ValueError` that says what is wrong with it."""
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    if memory is not None:
        options.max_mem = memory
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0]
        detail = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise ValueError(
            f"it is no expression that can be matched in linear time ({detail}); "
            "write it in RE2's syntax: no back-references, no look-around"
        ) from None


class Expressions:
    """The expressions of a row, in their order. Raises `ValueError` for one that RE2 does not take."""

    def __init__(self, expressions: Sequence[Expression]) -> None:
        self.all = tuple(expressions)
        self.compiled = [compiled(each.pattern) for each in expressions]
        self.any = _any_of(expressions)

    def scan(self) -> ExpressionScan:
        """For a text that grows."""
        return ExpressionScan(self, range(len(self.all)))

    def whole(self, text: str) -> list[Span]:
        """What stands in a whole text. Most texts hold none of it, which one pass for all expressions tells."""
        text = encodable(text)
        if self.any is not None and self.any.search(text) is None:
            return []
        hits = [number for number, each in enumerate(self.compiled) if each.search(text) is not None]
        scan = ExpressionScan(self, hits)
        found: list[Span] = []
        for start in range(0, len(text) if hits else 0, _PIECE):
            found += scan.feed(text[start : start + _PIECE])
        return found + scan.end()


class ExpressionScan:
    """One text. It is kept from where the next match of any expression may begin, and a character before that."""

    def __init__(self, expressions: Expressions, numbers: Sequence[int]) -> None:
        self._expressions = expressions
        self._numbers = numbers
        self._held = ""
        self._base = 0  # where the held text begins
        self._from = dict.fromkeys(numbers, 0)  # where each expression goes on, in the whole text

    @property
    def safe(self) -> int:
        """Where the next match of any expression may begin."""
        return min(self._from.values(), default=self._base + len(self._held))

    def feed(self, text: str) -> list[Span]:
        """Go on by some characters. The last of them is not judged: it says what stands after the one before."""
        self._held += encodable(text)
        return self._search(len(self._held) - 1, final=False) if self._held else []

    def end(self) -> list[Span]:
        """The text is over."""
        return self._search(len(self._held), final=True)

    def _search(self, until: int, *, final: bool) -> list[Span]:
        found: list[Span] = []
        run = last_separator(self._held)
        nothing = self._nothing(until)
        for number in self._numbers:
            found += self._one(number, until, run, final=final, nothing=nothing)
        if self._numbers:
            kept = max(0, self.safe - self._base - 1)
            self._held, self._base = self._held[kept:], self._base + kept
        return found

    def _nothing(self, until: int) -> bool:
        """Whether no expression matches anywhere in what is held, which is cheap to tell."""
        alternatives = self._expressions.any
        if alternatives is None or len(self._numbers) < 2:
            return False
        return alternatives.search(self._held, max(0, self.safe - self._base), until) is None

    def _one(self, number: int, until: int, run: int, *, final: bool, nothing: bool) -> list[Span]:
        expression, finditer = self._expressions.all[number], self._expressions.compiled[number].finditer
        start = self._from[number] - self._base
        # A match that begins before this place is all there: it cannot grow.
        certain = until + 1 if final else max(until - expression.longest + 1, run if expression.solid else 0)
        found: list[Span] = []
        going = not nothing and start <= until
        while going:
            going = False
            for match in finditer(self._held, start, until):
                first, last = match.span()
                if first >= certain:
                    break
                if last == first:
                    continue
                if expression.accept is not None and not expression.accept(self._held[first:last]):
                    start = first + 1 if expression.again else last
                    going = expression.again
                    if going:
                        break
                    continue
                start = last
                begins = self._base + first
                span = Span(begins, self._base + last, expression.label, expression.replacement, rank=number)
                found.append(span)
        self._from[number] = self._base + max(start, certain)
        return found


def _any_of(expressions: Sequence[Expression]) -> Any | None:
    """One expression for all; none when they cannot stand together, as two groups of one name."""
    try:
        return compiled("|".join(f"(?:{each.pattern})" for each in expressions))
    except ValueError:
        return None


def encodable(text: str) -> str:
    """Halves of characters, which JSON can hold and UTF-8 cannot, as question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
