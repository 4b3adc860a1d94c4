"""The built-in guards as an operator would switch them on, for the bench that prices them.
Rows of `guardrails:` and the plugins that serve them; no measuring here."""

from __future__ import annotations

from typing import Any

BUILT_IN: dict[str, dict[str, Any]] = {
    "guard-pii": {"guardrail": "guard-pii"},
    "guard-secrets": {"guardrail": "guard-secrets"},
    "guard-injection": {"guardrail": "guard-injection"},
    "guard-content": {
        "guardrail": "guard-content",
        "blocked_words": [
            {"keyword": word, "action": "BLOCK"} for word in ("krakatoa", "vermilion protocol", "zugzwang")
        ],
        "patterns": [{"pattern_type": "regex", "name": "ticket", "pattern": r"TCK-[0-9]{6}", "action": "MASK"}],
    },
}


def rows(*names: str, mode: list[str] | str = "pre_call") -> list[dict[str, Any]]:
    """A row for each named guard."""
    return [
        {"guardrail_name": name, "litellm_params": {**BUILT_IN[name], "mode": mode, "default_on": True}}
        for name in names
    ]
