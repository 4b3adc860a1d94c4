"""What a request may take at most: tokens of its prompt, and how many output tokens it asks for.

How tokens are counted without a tokenizer is in `counting`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from routeiq_governance.quotas.counting import Prompt
from routeiq_governance.quotas.rule import Demand
from routeiq_sdk import Deployment, ModelGroup, Price, Request

_WITHOUT_OUTPUT = ("openai-embedding", "anthropic-count-tokens")
BOUNDS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
"""Fields that bound the output."""
How = Literal["text", "bytes", "typical"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The output of a request: `most` tokens over all its answers. `fields` are where the client bounds it; `bounded`
    says that the client or the model does, so that nothing has to be added."""

    most: int
    answers: int = 1
    fields: tuple[str, ...] = ()
    bounded: bool = True


NOTHING = Wanted(0)


def wanted(request: Request, groups: Sequence[ModelGroup], unknown: int) -> Wanted:
    """What the client asks for, or what the models can do at most, or `unknown`."""
    if request.wire in _WITHOUT_OUTPUT:
        return NOTHING
    answers = _prompts(request) * max(_count(request.param("n")) or 1, _count(request.param("best_of")) or 1)
    told = {name: most for name in BOUNDS if (most := _count(request.param(name))) is not None}
    if told:
        return Wanted(max(told.values()) * answers, answers, tuple(told))
    known = [_own_bound(deployment) for group in groups for deployment in group.deployments]
    if known and all(known):
        return Wanted(max(most or 0 for most in known) * answers, answers)
    return Wanted(unknown * answers, answers, bounded=False)


def prompt_tokens(request: Request, how: How) -> int:
    """Tokens of the prompt: a bound for text as people and programs write it, for any bytes, or as text usually has
    them."""
    prompt = Prompt(request.json())
    if how == "typical":
        return prompt.typical()
    return prompt.bytes_bound() if how == "bytes" else min(prompt.bound(), prompt.bytes_bound())


def demand(input_tokens: int, prices: Iterable[Price | None], unpriced: int = 0) -> Demand:
    """The dearest of several prices for this prompt; a token's cost rounded up. `unpriced` is the cost of a call whose
    price nobody knows."""
    cost = token = 0
    for price in prices:
        if price is None:
            cost = max(cost, unpriced)
            continue
        dearest = max(price.input, price.cached, price.cache_write)
        cost = max(cost, -(-(input_tokens * dearest + price.per_request) // price.scale))
        token = max(token, -(-price.output // price.scale))
    return Demand(input_tokens, cost, token)


def _prompts(request: Request) -> int:
    """Legacy completions may have several prompts, each with answers of its own."""
    prompt = request.param("prompt") if request.wire == "openai-completion" else None
    return len(prompt) if isinstance(prompt, list) and prompt and isinstance(prompt[0], str | list) else 1


def _own_bound(deployment: Deployment) -> int | None:
    """What a model writes at most when the client says nothing: the row's own field, or what is known of the model."""
    told = next((deployment.params[name] for name in BOUNDS if name in deployment.params), None)
    return _count(told if told is not None else deployment.info.get("max_output_tokens"))


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
