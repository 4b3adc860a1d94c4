"""Where a text can be cut without cutting through anything that a recogniser could find or look at.

What is looked for is not known here, only which characters can belong to it.
"""

from __future__ import annotations

import re

from routeiq_sdk.guards import last_break

JOINT = "\ue000"
"""Stands for a space inside a number that is written in groups. Recognisers match it and no white space."""

_SPACES = " \u00a0\u2009\u202f"
_GROUPED = re.compile(f"[{_SPACES}](?:(?<=[0-9].)(?=[0-9A-Z(])|(?<=[A-Z)].)(?=[0-9]))")


def joined(text: str) -> str:
    """The text, each space between two groups of a number replaced by a `JOINT`. Its length stays."""
    return _GROUPED.sub(JOINT, text)


def last_cut(text: str) -> int:
    """The end of what can be judged now.

    A cut follows a character that no recogniser matches or looks at, and that joins no groups: what stands before it
    and what stands after it can then be judged apart, whatever else comes.
    """
    end = len(text)
    while end:
        at = last_break(text, end, _binds)
        if at < 0:
            return 0
        if not _may_join(text, at):
            return at + 1
        end = at
    return 0


def _may_join(text: str, at: int) -> bool:
    if text[at] not in _SPACES or not at:
        return False
    before = text[at - 1]
    if at + 1 == len(text):
        return _is_digit(before) or before == ")" or "A" <= before <= "Z"
    return _GROUPED.match(text, at) is not None


def _binds(char: str) -> bool:
    """Whether a recogniser may have a use for it: printable ASCII, a letter of an address, a dash."""
    if char <= "~":
        return char > " "
    return "\u00c0" <= char <= "\u052f" or "\u2010" <= char <= "\u2015" or char == JOINT


def _is_digit(char: str) -> bool:
    return "0" <= char <= "9"
