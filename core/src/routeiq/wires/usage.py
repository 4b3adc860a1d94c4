"""Token counts of each wire to the one `Usage` value and back. Reading never raises: billing data comes as it comes.

No price and no estimate lives here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routeiq_sdk.values.models import Usage


def _count(counts: object, *names: str) -> int | None:
    """The first of `names` that holds a whole number from 0 up."""
    if isinstance(counts, Mapping):
        for name in names:
            value = counts.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
                return value
    return None


def _usage(inputs: int, outputs: int, cached: int, written: int, reasoning: int) -> Usage:
    """Parts never exceed the whole, whatever the provider said."""
    cached = min(cached, inputs)
    return Usage(inputs, outputs, cached, min(written, inputs - cached), min(reasoning, outputs))


def from_chat(counts: object) -> Usage | None:
    """OpenAI's counts, also with the cache fields of LiteLLM and DeepSeek. None when nothing usable is there."""
    inputs = _count(counts, "prompt_tokens")
    outputs = _count(counts, "completion_tokens")
    if not isinstance(counts, Mapping) or (inputs is None and outputs is None):
        return None
    inputs, outputs = inputs or 0, outputs or 0
    reasoning = _count(counts.get("completion_tokens_details"), "reasoning_tokens") or 0
    # Some providers count reasoning beside the completion, and only the total tells.
    if _count(counts, "total_tokens") == inputs + outputs + reasoning:
        outputs += reasoning
    details = counts.get("prompt_tokens_details")
    cached = _count(details, "cached_tokens")
    if cached is None:
        cached = _count(counts, "cache_read_input_tokens", "prompt_cache_hit_tokens") or 0
    written = _count(details, "cache_write_tokens", "cache_creation_tokens")
    if written is None:
        written = _count(counts, "cache_creation_input_tokens") or 0
    return _usage(inputs, outputs, cached, written, reasoning)


def to_chat(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def from_anthropic(counts: object) -> Usage | None:
    """Anthropic's counts, whose `input_tokens` leave out what was read from or written to the cache."""
    plain = _count(counts, "input_tokens")
    outputs = _count(counts, "output_tokens")
    if not isinstance(counts, Mapping) or (plain is None and outputs is None):
        return None
    cached = _count(counts, "cache_read_input_tokens") or 0
    written = _count(counts, "cache_creation_input_tokens") or 0
    reasoning = _count(counts.get("output_tokens_details"), "thinking_tokens") or 0
    return _usage((plain or 0) + cached + written, outputs or 0, cached, written, reasoning)


def to_anthropic(usage: Usage) -> dict[str, Any]:
    counts: dict[str, Any] = {
        "input_tokens": usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
    }
    if usage.reasoning_tokens:
        counts["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return counts


def merged_anthropic(earlier: Mapping[str, Any], later: object) -> dict[str, Any]:
    """Counts of one stream so far. They are cumulative, so the larger number is the newer one."""
    counts = dict(earlier)
    if isinstance(later, Mapping):
        for name, value in later.items():
            if isinstance(value, Mapping):
                counts[name] = value
            elif (number := _count(later, name)) is not None:
                counts[name] = max(number, _count(counts, name) or 0)
    return counts


def from_embeddings(counts: object) -> Usage | None:
    tokens = _count(counts, "prompt_tokens", "total_tokens")
    return None if tokens is None else Usage(input_tokens=tokens)
