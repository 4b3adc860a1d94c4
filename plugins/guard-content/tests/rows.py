"""Rows of the guard, set up in memory, and streams that are cut."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from routeiq_guard_content.config import Config
from routeiq_guard_content.plugin import GuardContent
from routeiq_sdk import Stop
from routeiq_sdk.guards import Finding
from routeiq_sdk.guards.findings import replaced
from routeiq_sdk.testing import make_context


def guard(folder: Path | None = None, **params: Any) -> GuardContent:
    """The plugin with one row, which looks at requests and answers."""
    filled = {"guardrail": "guard-content", "mode": ["pre_call", "post_call"], "default_on": True, **params}
    written = {"guardrails": [{"guardrail_name": "rules", "litellm_params": filled}]}
    return GuardContent(Config.model_validate(written, context={"folder": folder} if folder is not None else None))


def found(text: str, **params: Any) -> Sequence[Finding]:
    """What the row finds in a whole text."""
    made = guard(**params)
    return made.inspector(make_context(), made.rails[0]).inspect(text, "user")


def labels(text: str, **params: Any) -> list[str]:
    """What the findings are called, in their order."""
    return [finding.label for finding in found(text, **params)]


def masked(text: str, **params: Any) -> str | None:
    """What becomes of a whole text; `None` when it is refused."""
    findings = found(text, **params)
    return None if any(finding.replacement is None for finding in findings) else replaced(text, findings)


def streamed(made: GuardContent, pieces: Iterable[str], part: str = "text") -> tuple[str, Stop | None]:
    """What comes out of a stream, and the stop if there is one."""
    ctx = make_context()
    item: Any = made.stream_filter(ctx) if part == "text" else made.stream_part_filter(ctx, part)
    out = ""
    for step in [*(lambda piece=piece: item.feed(piece) for piece in pieces), item.end]:
        answer = at_once(step())
        if isinstance(answer, Stop):
            return out, answer
        out += "".join(answer)
    return out, None


def at_once(answer: Any) -> Any:
    """The answer of a filter that may be awaited, and never waits: several as one."""
    if not inspect.iscoroutine(answer):
        return answer
    try:
        answer.send(None)
    except StopIteration as given:
        return given.value
    raise AssertionError("a filter of this guard waits")


def cut(text: str, places: Iterable[int]) -> list[str]:
    """The text in pieces."""
    ordered = sorted({place % (len(text) + 1) for place in places})
    return [text[start:end] for start, end in zip([0, *ordered], [*ordered, len(text)], strict=True)]
