"""Cedar text taken apart into statements, each with its line, so that an error can say where.

Cedar's own parser judges what they mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Statement:
    """One policy as it is written. `line` counts from 1."""

    line: int
    text: str


def statements(text: str) -> Iterator[Statement]:
    """The statements of a text in order; what follows the last `;` is one, too, if it is more than white space."""
    line, begins, started, at, end = 1, 1, False, 0, len(text)
    start = 0
    while at < end:
        char = text[at]
        if char == "/" and text.startswith("//", at):
            stop = text.find("\n", at)
            at = end if stop < 0 else stop
            continue
        if not char.isspace() and not started:
            started, begins, start = True, line, at
        if char == '"':
            stop = _end_of_string(text, at)
            line += text.count("\n", at, stop)
            at = stop
            continue
        if char == "\n":
            line += 1
        elif char == ";":
            yield Statement(begins, text[start : at + 1])
            started = False
        at += 1
    if started:
        yield Statement(begins, text[start:])


def _end_of_string(text: str, at: int) -> int:
    """The place behind a string literal that begins at `at`."""
    at += 1
    while at < len(text) and text[at] != '"':
        at += 2 if text[at] == "\\" else 1
    return min(at + 1, len(text))
