"""Values a reply is built from on either wire: tool calls and token usage.
How they look on a wire is the business of `openai_wire` and `anthropic_wire`, never of this module.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool by the model. Arguments given as text are sent as they are, also when they are not JSON."""

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    id: str | None = None

    def arguments_text(self) -> str:
        return self.arguments if isinstance(self.arguments, str) else json.dumps(dict(self.arguments))


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts. `input_tokens` includes the cached and cache-writing ones, `output_tokens` the reasoning ones."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0


def estimate_tokens(text: str) -> int:
    """A steady stand-in for a tokenizer: one token for each four characters, at least one."""
    return max(1, -(-len(text) // 4))
