"""A tool invocation that passes through the gateway.

Transport, sessions and delegation belong to the protocol adapters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ToolCall:
    """`tool` of `server` is about to be called with `arguments`. `protocol` is `mcp` or `a2a`."""

    protocol: str
    server: str
    tool: str
    arguments: Mapping[str, Any]
