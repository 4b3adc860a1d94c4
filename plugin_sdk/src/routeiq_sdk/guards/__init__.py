"""What guards of content share: where texts stand in a body, LiteLLM's `guardrails:` rows, streams cut anywhere, and a
base class that turns one look at a text into every guard hook.

What a guard looks for is its own business.
"""

from routeiq_sdk.filters import Chain
from routeiq_sdk.guards.findings import Finding, Inspector
from routeiq_sdk.guards.passages import Passage, put, read_answer, read_request
from routeiq_sdk.guards.plugin import TextGuard
from routeiq_sdk.guards.rails import GuardConfig, GuardrailRow, Mode, Rail, RailOptions
from routeiq_sdk.guards.windows import Held, WholeJson, Window, held_arguments, last_break, last_separator

__all__ = [
    "Chain",
    "Finding",
    "GuardConfig",
    "GuardrailRow",
    "Held",
    "Inspector",
    "Mode",
    "Passage",
    "Rail",
    "RailOptions",
    "TextGuard",
    "WholeJson",
    "Window",
    "held_arguments",
    "last_break",
    "last_separator",
    "put",
    "read_answer",
    "read_request",
]
