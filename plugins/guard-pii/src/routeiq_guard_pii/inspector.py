"""What becomes of each thing that is found: the inspector of one row for one request.

Finding is the recognisers' business.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from routeiq_guard_pii.book import Book
from routeiq_guard_pii.config import Action, Options
from routeiq_guard_pii.found import Found, Recogniser, apart, certain
from routeiq_sdk.guards import Finding

_HASH_CHARS = 12


class Inspector:
    """Looks with `recogniser` and does what `actions` say."""

    def __init__(self, recogniser: Recogniser, actions: Mapping[str, Action], options: Options, book: Book) -> None:
        self._recogniser = recogniser
        self._options = options
        self._actions = actions
        self._allowed = frozenset(phrase.casefold() for phrase in options.presidio_phrase_allow_list)
        self._book = book

    def inspect(self, text: str, part: str) -> Sequence[Finding]:
        """The findings, with what is to stand in their places."""
        options = self._options
        if part == "system" and options.presidio_skip_system_developer_message:
            return ()
        found = self._recogniser.find(text)
        if not found:
            return ()
        if self._allowed:
            found = [each for each in found if text[each.start : each.end].casefold() not in self._allowed]
        return [self._finding(text, each) for each in apart(certain(found, options.presidio_score_thresholds))]

    def settled(self, text: str) -> int:
        """As the recogniser says."""
        return self._recogniser.settled(text)

    def _finding(self, text: str, found: Found) -> Finding:
        action = self._actions[found.entity]
        if action is Action.BLOCK:
            return Finding(found.start, found.end, found.entity)
        value = text[found.start : found.end]
        if action is Action.HASH:
            shown = f"<{found.entity}:{self._hash(found.entity, value)}>"
        elif action is Action.REVERSIBLE and self._book.open:
            shown = self._book.placeholder(found.entity, value)
        else:
            shown = f"<{found.entity}>"
        return Finding(found.start, found.end, found.entity, shown)

    def _hash(self, entity: str, value: str) -> str:
        """The same for one value, however its groups are written: letters and digits count, and an address's signs."""
        key = self._options.hash_key
        assert key is not None, "config asks for it"
        plain = "".join(char for char in value.casefold() if char.isalnum() or char in "@._+")
        digest = hmac.new(key.reveal().encode(), f"{entity}\0{plain}".encode(), hashlib.sha256)
        return digest.hexdigest()[:_HASH_CHARS]
