"""The inspector of one row: all kinds of credential that it is asked for, and where a stream may be cut.

How each kind is found lives in `shapes`, `pem` and `keywords`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence

from routeiq_guard_secrets import keywords, pem, shapes
from routeiq_sdk.guards import Finding, last_break

SHOWN = "[REDACTED]"
_HASHED = "sha256:"
_MOST_TRIES = 8
_SHORTEST_PAIR = 8
"""Characters of `pwd=a1b2`. Streams are looked at word by word, and most words are shorter."""


class Secrets:
    """Finds the `kinds` and masks or refuses them; values that `allow` names pass."""

    def __init__(self, kinds: frozenset[str], *, mask: bool, entropy: float, allow: Sequence[str]) -> None:
        self._shapes = tuple(shape for shape in shapes.SHAPES if shape.label in kinds)
        self._kinds = kinds
        self._shown = SHOWN if mask else None
        self._entropy = entropy
        self._allowed = allowed(allow)

    def inspect(self, text: str, part: str) -> Sequence[Finding]:
        """The values, each with its kind; names beside them stay."""
        return [
            Finding(start, end, label, self._shown)
            for start, end, label in self._found(text)
            if not self._allowed(text[start:end])
        ]

    def settled(self, text: str) -> int:
        """Up to the last white space, or character that no credential holds, that breaks off nothing."""
        end = len(text)
        for _ in range(_MOST_TRIES):
            cut = last_break(text, end, _binds) + 1
            if not cut:
                return 0
            starts = [start for start in (pem.begun(text, cut), keywords.begun(text, cut)) if start >= 0]
            if not starts:
                return cut
            end = min(starts)
        return 0

    def _found(self, text: str) -> Iterator[tuple[int, int, str]]:
        if len(text) < _SHORTEST_PAIR:
            return
        if len(text) >= shapes.SHORTEST or "://" in text:
            for shape in self._shapes:
                for start, end in shape.places(text):
                    yield start, end, shape.label
        if pem.LABEL in self._kinds:
            for start, end in pem.private_keys(text):
                yield start, end, pem.LABEL
        low = keywords.lowered(text)
        if keywords.LABEL in self._kinds:
            for start, end in keywords.pairs(text, low, self._entropy):
                yield start, end, keywords.LABEL
        if keywords.HEADER in self._kinds:
            for start, end in keywords.headers(text, low, self._entropy):
                yield start, end, keywords.HEADER


def allowed(written: Sequence[str]) -> Callable[[str], bool]:
    """Whether a value may pass. Raises `re.error` for a pattern that does not compile."""
    hashes = frozenset(entry.removeprefix(_HASHED).lower() for entry in written if entry.startswith(_HASHED))
    patterns = [re.compile(entry) for entry in written if not entry.startswith(_HASHED)]

    def passes(value: str) -> bool:
        if any(pattern.fullmatch(value) for pattern in patterns):
            return True
        return bool(hashes) and hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest() in hashes

    return passes


def _binds(char: str) -> bool:
    """Whether a credential of one piece may hold it: printable ASCII alone, and no white space."""
    return "!" <= char <= "~"
