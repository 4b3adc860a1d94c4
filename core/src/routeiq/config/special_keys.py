"""Keys whose class depends on their value: strategies, callbacks, guardrails, pre-call checks.

Each function gives the parts of a value that need a plugin; the plain rule is in `classify`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from routeiq.config.key_tables.guardrails import CUSTOM_CODE_PLUGIN, GUARD_PLUGINS, PROTECTIVE_CALLBACKS, SERVICES
from routeiq.config.key_tables.observers import OBSERVERS
from routeiq.config.position import KeyPath

_WRITE_A_PLUGIN = "Python objects are never imported from a configuration; write a plugin (`routeiq plugins new`)"
_CORE_STRATEGY = "simple-shuffle"
_CHECK_PLUGINS = {"enforce_model_rate_limits": "governance"}


class Finding(NamedTuple):
    """A part of a value that needs a plugin; `path` is relative to the key."""

    path: KeyPath
    plugin: str
    what: str


def routing_strategy(value: Any) -> Iterator[Finding]:
    if isinstance(value, str) and value != _CORE_STRATEGY:
        plugin = "routing-ml" if value.startswith("llmrouter-") else "routing-classic"
        yield Finding((), plugin, f"it chooses by {_CORE_STRATEGY} alone; {value!r} is a plugin's strategy")


def pre_call_checks(value: Any) -> Iterator[Finding]:
    for number, name in enumerate(value if isinstance(value, list) else ()):
        yield Finding((number,), _CHECK_PLUGINS.get(str(name), "routing-classic"), f"the check {name!r} is a plugin's")


def callbacks(value: Any) -> Iterator[Finding]:
    for number, name in enumerate(value if isinstance(value, list) else [value]):
        path: KeyPath = (number,) if isinstance(value, list) else ()
        if not isinstance(name, str):
            continue
        if name in PROTECTIVE_CALLBACKS:
            yield Finding(path, PROTECTIVE_CALLBACKS[name], f"{name!r} checks or limits requests")
        elif "." in name:
            yield Finding(path, CUSTOM_CODE_PLUGIN, f"{name!r} may check requests. {_WRITE_A_PLUGIN}")


def observers(value: Any) -> Iterator[Finding]:
    """Callbacks that only look on, each with the plugin that serves it (none for a name that nobody serves)."""
    for number, name in enumerate(value if isinstance(value, list) else [value]):
        path: KeyPath = (number,) if isinstance(value, list) else ()
        if isinstance(name, str) and name not in PROTECTIVE_CALLBACKS and "." not in name:
            yield Finding(path, OBSERVERS.get(name, ""), f"the callback {name!r}")


def guardrails(value: Any) -> Iterator[Finding]:
    for number, row in enumerate(value if isinstance(value, list) else ()):
        params = row.get("litellm_params") if isinstance(row, Mapping) else None
        guard = params.get("guardrail") if isinstance(params, Mapping) else None
        if not isinstance(guard, str):
            yield Finding((number,), "guard-external", "a guardrail")
        elif "." in guard and guard not in GUARD_PLUGINS:
            yield Finding((number,), CUSTOM_CODE_PLUGIN, f"the guardrail {guard!r} is Python code. {_WRITE_A_PLUGIN}")
        else:
            yield Finding((number,), guard_plugin(guard), f"the guardrail {guard!r}")


def guard_plugin(guard: str) -> str:
    """The plugin that does the work of a guardrail: a name that LiteLLM knows, or the plugin's own."""
    return GUARD_PLUGINS.get(guard, "guard-external" if guard in SERVICES else guard)


SPECIAL_KEYS: Mapping[tuple[str, str], Callable[[Any], Iterator[Finding]]] = {
    ("", "guardrails"): guardrails,
    ("router_settings", "routing_strategy"): routing_strategy,
    ("router_settings", "optional_pre_call_checks"): pre_call_checks,
    ("litellm_settings", "callbacks"): callbacks,
}
"""By section and key. They are asked first; when they find nothing the key's own class holds."""

OBSERVING_KEYS: Mapping[tuple[str, str], Callable[[Any], Iterator[Finding]]] = {
    ("litellm_settings", "callbacks"): observers,
    ("litellm_settings", "success_callback"): observers,
    ("litellm_settings", "failure_callback"): observers,
    ("litellm_settings", "service_callback"): observers,
}
"""Keys whose values are told one by one, so that a start says of each who serves it."""
