"""What a guard finds in a text, and the shape of what looks for it.

Where the text came from and what becomes of the request is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Finding(NamedTuple):
    """Characters `start` to `end` of a text are a `label` (`EMAIL_ADDRESS`, `aws_access_key`).

    `replacement` is what to write instead; `None` refuses the text. The label reaches clients and records, so it holds
    nothing of the text.
    """

    start: int
    end: int
    label: str
    replacement: str | None = None


class Inspector(Protocol):
    """Looks for one thing. Synchronous, and linear in the length of the text: it may run on the event loop.

    ```python
    class Passwords:
        def inspect(self, text: str, part: str) -> Sequence[Finding]:
            return [Finding(*match.span(), "password", "[password]") for match in PASSWORD.finditer(text)]

        def settled(self, text: str) -> int:
            return last_separator(text)
    ```
    """

    def inspect(self, text: str, part: str) -> Sequence[Finding]:
        """What stands in the text. `part` says what the text is, as in `Passage.part`. Findings may overlap."""

    def settled(self, text: str) -> int:
        """How much of a text that is still growing can be judged on its own now: no finding of `text[:settled]` would
        change, and none of `text[settled:]` would be another, whatever comes before or after it."""


def replaced(text: str, findings: Sequence[Finding]) -> str:
    """The text with its findings replaced. Where several overlap, the first and longest counts, and reaches to the end
    of the last."""
    out: list[str] = []
    done = 0
    spans = _merged(findings)
    for start, end, replacement in spans:
        out += (text[done:start], replacement)
        done = end
    return "".join((*out, text[done:]))


def labels(findings: Sequence[Finding]) -> str:
    """The kinds of what was found, each once, joined by commas."""
    return ", ".join(sorted({finding.label for finding in findings}))


def _merged(findings: Sequence[Finding]) -> list[tuple[int, int, str]]:
    spans: list[tuple[int, int, str]] = []
    for finding in sorted(findings, key=lambda found: (found.start, -found.end)):
        if spans and finding.start < spans[-1][1]:
            start, end, replacement = spans[-1]
            spans[-1] = (start, max(end, finding.end), replacement)
        else:
            spans.append((finding.start, finding.end, finding.replacement or ""))
    return spans
