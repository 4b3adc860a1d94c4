"""Reasoning: Anthropic's `thinking` configuration and blocks to `reasoning_effort` and `thinking_blocks`, and back.

What a given model accepts is not known here; the caller says which of the two thinking modes it takes.
"""

from __future__ import annotations

from typing import Any

from routeiq.wires.reading import Untranslatable, as_object, as_text, looked_up

SMALLEST_BUDGET = 1024

BUDGETS = {"minimal": 1024, "low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16384}
"""Thinking tokens for an effort; LiteLLM uses the same numbers."""

_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}


def effort_of(thinking: object, output_config: object) -> str | None:
    """The `reasoning_effort` for an Anthropic request, or None when it leaves the choice to the model.

    An effort written in `output_config` is taken as it is. A budget becomes the largest of low, medium and high
    that it pays for: the efforts above are not known to every model. Thinking switched off is `none`.
    """
    kind = None if thinking is None else as_object(thinking, "thinking").get("type")
    if kind not in (None, "enabled", "adaptive", "disabled", "between_tools"):
        raise Untranslatable("thinking.type", "one of adaptive, between_tools, disabled, enabled is expected")
    if kind in ("disabled", "between_tools"):
        return "none"
    effort = None if output_config is None else as_object(output_config, "output_config").get("effort")
    if effort is not None:
        return looked_up(_EFFORTS, effort, "output_config.effort")
    if kind == "enabled":
        budget = as_object(thinking, "thinking").get("budget_tokens")
        if not isinstance(budget, int):
            raise Untranslatable("thinking.budget_tokens", "a whole number is expected")
        return next((name for name in ("high", "medium") if budget >= BUDGETS[name]), "low")
    return "medium" if kind == "adaptive" else None


def adaptive_fields(effort: str) -> dict[str, Any]:
    """Fields of an Anthropic request for models that decide themselves how much to think."""
    return {
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": looked_up(_EFFORTS, effort, "reasoning_effort")},
    }


def budget_for(effort: str, limit: int | None) -> int | None:
    """Thinking tokens for an effort, at most half of the client's own limit; None when too few are left to think.

    In chat JSON the limit covers reasoning and answer together, as Anthropic's `max_tokens` does.
    """
    looked_up(_EFFORTS, effort, "reasoning_effort")
    budget = BUDGETS[effort] if limit is None else min(BUDGETS[effort], limit // 2)
    return budget if budget >= SMALLEST_BUDGET else None


def kept_block(block: dict[str, Any], param: str) -> dict[str, Any]:
    """A thinking block exactly as the provider signed it."""
    if block.get("type") == "redacted_thinking":
        return {"type": "redacted_thinking", "data": as_text(block.get("data"), f"{param}.data")}
    signature = block.get("signature")
    return {
        "type": "thinking",
        "thinking": as_text(block.get("thinking"), f"{param}.thinking"),
        "signature": "" if signature is None else as_text(signature, f"{param}.signature"),
    }


def is_thinking(block: dict[str, Any]) -> bool:
    return block.get("type") in ("thinking", "redacted_thinking")


def message_fields(blocks: list[dict[str, Any]]) -> dict[str, Any]:
    """Fields of a chat message for its thinking: the text for every client, the blocks for those that return them."""
    if not blocks:
        return {}
    fields: dict[str, Any] = {"thinking_blocks": blocks}
    if said := "".join(block.get("thinking", "") for block in blocks):
        fields["reasoning_content"] = said
    return fields


def reasoning_text(message: dict[str, Any]) -> str:
    """Reasoning in a chat message or delta, under either of the names in use."""
    for name in ("reasoning_content", "reasoning"):
        if isinstance(said := message.get(name), str) and said:
            return said
    return ""
