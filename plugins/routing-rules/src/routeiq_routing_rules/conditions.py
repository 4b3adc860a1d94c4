"""Decides whether a rule's conditions hold for a text, and says which of them did in words.

Order of rules and choice of models are the plugin's.
"""

from __future__ import annotations

import re

from routeiq_routing_rules.config import Conditions

MOST_SEARCHED = 8192
"""Characters that are searched. A rule looks at how a question begins, not through a pasted book."""


class Matcher:
    """The conditions of one rule, compiled once."""

    def __init__(self, conditions: Conditions) -> None:
        self._longer = conditions.longer_than
        self._shorter = conditions.shorter_than
        self._words = _any_of(conditions.any_words) if conditions.any_words else None
        self._pattern = re.compile(conditions.pattern) if conditions.pattern is not None else None

    def match(self, text: str) -> str | None:
        """What held, in a few words; `None` when the rule does not hold."""
        held: list[str] = []
        if self._longer is not None:
            if len(text) <= self._longer:
                return None
            held.append(f"longer than {self._longer} characters")
        if self._shorter is not None:
            if len(text) >= self._shorter:
                return None
            held.append(f"shorter than {self._shorter} characters")
        start = text[:MOST_SEARCHED]
        if self._words is not None:
            found = self._words.search(start)
            if found is None:
                return None
            held.append(f"the word {' '.join(found[0].lower().split())!r}")
        if self._pattern is not None:
            if self._pattern.search(start) is None:
                return None
            held.append(f"the pattern {self._pattern.pattern}")
        return ", ".join(held)


def _any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    """One expression for all words. Inside a phrase any white space will do."""
    phrases = (r"\s+".join(map(re.escape, word.split())) for word in words)
    return re.compile(rf"(?<!\w)(?:{'|'.join(phrases)})(?!\w)", re.IGNORECASE)
