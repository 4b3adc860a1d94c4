"""What a row asks, what it may be told, and the two ways in which there is no verdict.

No service and no wire is known here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from routeiq_sdk import Context

FLAGGED = "flagged content"
"""What is said of a text when the service names no kind, or one that nobody should see."""


class Text(NamedTuple):
    """One text to judge. `part` is that of its passage; the first `seen` characters were let out before and are
    context."""

    text: str
    part: str
    seen: int = 0


@dataclass(frozen=True, slots=True)
class Question:
    """Texts of one request or answer, in their order. `identity` is empty unless the row sends it."""

    ctx: Context
    side: Literal["request", "response"]
    texts: Sequence[Text]
    identity: Mapping[str, str] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """The model that the client asked for."""
        return self.ctx.asked.model if self.ctx.asked is not None else ""


class Opinion(NamedTuple):
    """What a service holds against a text: a `kind`, and what to write instead; `None` refuses it. `reason` is the
    service's own words."""

    kind: str
    text: str | None = None
    reason: str = ""


Verdict = Sequence[Opinion | None]
"""One opinion a text; `None` where there is none."""


class Service(Protocol):
    """Somebody who judges."""

    async def ask(self, question: Question) -> Verdict:
        """The verdict. Raises `Unreachable` or `Unusable` when there is none."""


class NoVerdict(Exception):
    """There is no verdict. The message goes to clients: it holds no address and nothing of a text."""

    kind = "error"


class Unreachable(NoVerdict):
    """Nobody answered, or only to say that they are busy or broken."""

    kind = "unreachable"


class Unusable(NoVerdict):
    """The answer is none."""


def refused_first(question: Question, opinion: Opinion) -> Verdict:
    """The verdict of who judges all texts as one and refuses them."""
    return [opinion, *([None] * (len(question.texts) - 1))]
