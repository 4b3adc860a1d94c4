"""A random token in the system prompt: an answer that repeats it repeats the system prompt.

When one is put in, and what a leak leads to, is the plugin's business.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from routeiq_sdk.guards import put, read_request

LEAK = "system_prompt_leak"
LENGTH = 24
_FIELDS = ("content", "text", "system", "instructions")
"""Where the text of a system prompt stands; beside it stand names."""


def new_token() -> str:
    """96 random bits in small hexadecimal figures."""
    return secrets.token_hex(LENGTH // 2)


def planted(body: Mapping[str, Any], token: str) -> dict[str, Any] | None:
    """The request with the token in the first and in the last line of its system prompt; `None` when it has none.

    In the first line, so that a prompt that is repeated from its beginning is stopped before anything of it is out; in
    the last, for those who ask for its end.
    """
    texts = [
        passage
        for passage in read_request(body)
        if passage.part == "system" and not passage.fixed and passage.path and _holds_text(passage.path)
    ]
    if not texts:
        return None
    first, last = texts[0], texts[-1]
    line = f"[{token}]"
    if first is last:
        return put(body, [(first.path, f"{line}\n{first.text}\n{line}")])
    return put(body, [(first.path, f"{line}\n{first.text}"), (last.path, f"{last.text}\n{line}")])


def _holds_text(path: tuple[Any, ...]) -> bool:
    named = [step for step in path if isinstance(step, str)]
    return bool(named) and named[-1] in _FIELDS


def begun(text: str, token: str) -> int:
    """How many characters at the end of a text may be the beginning of the token. A token that is whole is none: its
    own end may look like its beginning."""
    small = text.lower()
    whole = small.rfind(token)
    tail = small[max(whole + LENGTH if whole >= 0 else 0, len(small) - LENGTH + 1) :]
    return next((size for size in range(len(tail), 0, -1) if token.startswith(tail[-size:])), 0)
