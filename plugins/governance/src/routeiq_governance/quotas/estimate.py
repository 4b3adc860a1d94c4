"""What a request may take at most: tokens of its prompt, and how many output tokens it asks for.

Under strict admission these are bounds that hold, not guesses: a token is at least one byte of text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from routeiq_governance.quotas.rule import Demand
from routeiq_sdk import ModelGroup, Price, Request

_MOST_OUTPUT = 16_384
"""Output tokens where neither the client nor the model's facts bound them; the call is then bounded by it."""
_MESSAGE_TOKENS = 16
_FRAME_TOKENS = 64
_PART_TOKENS = {"image_url": 4096, "image": 4096, "input_image": 4096, "input_audio": 16_384, "file": 65_536}
_PART_TOKENS |= {"document": 65_536, "video_url": 65_536}
_TYPICAL_BYTES = 3
_WITHOUT_OUTPUT = ("openai-embedding", "anthropic-count-tokens")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The output of a request: `most` tokens over all its answers. `field` is where the client bounds it; `bounded`
    says that the client or the model does, so that nothing has to be added."""

    most: int
    answers: int
    field: str | None
    bounded: bool


def wanted(request: Request, groups: Sequence[ModelGroup]) -> Wanted:
    """What the client asks for, or what the models can do at most."""
    if request.wire in _WITHOUT_OUTPUT:
        return Wanted(0, 1, None, True)
    answers = max(_count(request.param("n")) or 1, _count(request.param("best_of")) or 1)
    for name in ("max_completion_tokens", "max_tokens", "max_output_tokens"):
        most = _count(request.param(name))
        if most is not None:
            return Wanted(most * answers, answers, name, True)
    known = [_count(deployment.info.get("max_output_tokens")) for group in groups for deployment in group.deployments]
    if known and all(known):
        return Wanted(max(most or 0 for most in known) * answers, answers, None, True)
    return Wanted(_MOST_OUTPUT * answers, answers, None, False)


def prompt_bound(request: Request, *, strict: bool) -> int:
    """Tokens of the prompt. Strict: as many as its text has bytes, and a fixed bound for each image or file; else as
    many as text typically has."""
    text = len(request.text().encode("utf-8", "surrogatepass"))
    parts = _parts(request.json())
    if not strict:
        return -(-text // _TYPICAL_BYTES) + parts
    messages = request.param("messages")
    count = len(messages) if isinstance(messages, list) else 1
    return text + _FRAME_TOKENS + _MESSAGE_TOKENS * count + parts


def demand(input_tokens: int, prices: Iterable[Price]) -> Demand:
    """The dearest of several prices for this prompt; a token's cost rounded up."""
    cost = token = 0
    for price in prices:
        dearest = max(price.input, price.cached, price.cache_write)
        cost = max(cost, -(-(input_tokens * dearest + price.per_request) // price.scale))
        token = max(token, -(-price.output // price.scale))
    return Demand(input_tokens, cost, token)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _parts(body: Mapping[str, Any]) -> int:
    found = 0
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else ():
            kind = part.get("type") if isinstance(part, dict) else None
            if isinstance(kind, str):
                found += _PART_TOKENS.get(kind, 0)
    return found
