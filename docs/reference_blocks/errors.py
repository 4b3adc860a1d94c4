"""The reference of errors: what each situation answers under each compatibility profile, said by the code itself.

The shape of a body on each wire is described on the page.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from reference_blocks.tables import cell, code, table
from routeiq.errors import Errors, UpstreamError
from routeiq_sdk import RequestError

PROFILES = ("1.80", "1.109")
_TIMEOUT = UpstreamError("timeout", 0, "Timeout", "the provider did not answer in time")

EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "no_key": {},
    "unknown_key": {"key": "sk-..."},
    "admin_only": {"route": "/routeiq/v1/status"},
    "model_denied": {"model": "strong", "allowed": ["fast"]},
    "unknown_model": {"route": "/v1/chat/completions", "model": "nobody"},
    "bad_json": {"why": "..."},
    "missing": {"field": "messages"},
    "wrong_type": {"field": "messages", "wanted": "a list"},
    "too_long": {"name": "model", "most": 1024},
    "refused_field": {"field": "api_base"},
    "too_deep": {"limit": 64},
    "too_large": {"limit_mib": 32},
    "slow_body": {"seconds": 30},
    "overloaded": {"retry_after": 1},
    "cooling": {"model": "fast", "seconds": 5},
    "no_target": {"model": "fast", "why": "..."},
    "out_of_reach": {"model": "fast", "tenant": "team-red"},
    "not_served": {"model": "fast", "what": "embeddings"},
    "unexpected": {"request_id": "..."},
    "plugin_failed": {"plugin": "my-guard", "stage": "guard_request"},
    "upstream": {"error": _TIMEOUT, "model": "fast", "fallbacks": None},
}
"""Arguments to say each error once; a new error without an entry fails the build."""


def errors() -> str:
    """One row a situation."""
    newest = Errors(PROFILES[-1])
    rows = [_row(name) for name in sorted(situations(), key=lambda name: _said(newest, name).status)]
    return table(("situation", "status and type", "message"), rows)


def situations() -> list[str]:
    """The names of all errors that the road can say."""
    return [name for name, _ in inspect.getmembers(Errors, inspect.isfunction) if not name.startswith("_")]


def _row(name: str) -> tuple[str, str, str]:
    said = {profile: _said(Errors(profile), name) for profile in PROFILES}
    summary = (inspect.getdoc(getattr(Errors, name)) or "").split(".")[0]
    return summary + ".", _by_profile(said, _kind), _by_profile(said, lambda error: code(_short(error.message)))


def _said(errors: Errors, name: str) -> RequestError:
    error = getattr(errors, name)(**EXAMPLES[name])
    assert isinstance(error, RequestError)
    return error


def _by_profile(said: Mapping[str, RequestError], show: Callable[[RequestError], str]) -> str:
    shown = {profile: show(error) for profile, error in said.items()}
    if len(set(shown.values())) == 1:
        return next(iter(shown.values()))
    return "<br>".join(f"{profile}: {text}" for profile, text in shown.items())


def _kind(error: RequestError) -> str:
    return f"{error.status} {code(error.type)}"


def _short(message: str) -> str:
    text = cell(message)
    return text if len(text) <= 160 else text[:160].rstrip() + " ..."
