"""What looks at the texts of one request for one row: its own, by score, and those of its answer, for leaks.

How scores come about is in `scan`, what a leak is in `canary` and `links`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from routeiq_guard_injection import canary, links
from routeiq_guard_injection.scan import Scanner
from routeiq_sdk.guards import Finding

_ANSWERED = frozenset({"assistant", "reasoning", "refusal", "arguments"})
"""Parts that a model writes."""
_QUOTING = frozenset({"user", "input"})
"""Parts in which people quote an injection to speak about it. In data nobody does so for a good reason."""
REMOVED = "removed.invalid"
"""The host that stands in the place of a removed address; there is none of that name."""


class Asked:
    """Judges texts that go to a model. A finding is the whole text: what surrounds an injection is not to be trusted
    either."""

    def __init__(self, scanner: Scanner, thresholds: Mapping[str, float]) -> None:
        self._scanner = scanner
        self._thresholds = thresholds

    def inspect(self, text: str, part: str) -> Sequence[Finding]:
        """The text, if it scores what its part may not."""
        threshold = self._thresholds.get(part)
        if threshold is None:
            return ()
        score = self._scanner.score(text, quoted=part in _QUOTING)
        if score.value < threshold:
            return ()
        return [Finding(0, len(text), label) for label in score.labels]


class Answered:
    """Judges texts that a model wrote."""

    def __init__(self, token: str | None, link: str | None, trusted: Collection[str]) -> None:
        self._token = token
        self._link = link
        self._trusted = trusted

    def inspect(self, text: str, part: str) -> Sequence[Finding]:
        """The token of the system prompt, and links that carry data away."""
        found = []
        if self._token is not None and (at := text.lower().find(self._token)) >= 0:
            found.append(Finding(at, at + len(self._token), canary.LEAK))
        if self._link is not None:
            replacement = REMOVED if self._link == "mask" else None
            found += [Finding(start, end, links.LINK, replacement) for start, end in links.outward(text, self._trusted)]
        return found

    def settled(self, text: str) -> int:
        """What no token and no link can reach into any more. A token is of letters and figures that begin no link, so
        that where one may begin the other does not end."""
        cut = links.settled(text) if self._link is not None else len(text)
        if self._token is not None:
            cut = min(cut, len(text) - canary.begun(text, self._token))
        return cut


class Both:
    """The inspector of a row: a text is judged by who wrote it."""

    def __init__(self, asked: Asked, answered: Answered) -> None:
        self.asked = asked
        self.answered = answered

    def inspect(self, text: str, part: str) -> Sequence[Finding]:
        """As an answer where a model writes such parts, else as a request."""
        return (self.answered if part in _ANSWERED else self.asked).inspect(text, part)

    def settled(self, text: str) -> int:
        """As an answer: only they are streamed."""
        return self.answered.settled(text)
