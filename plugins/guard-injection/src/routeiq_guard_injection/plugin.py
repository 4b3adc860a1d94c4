"""The plugin: its rows become the hooks of a guard."""

from __future__ import annotations

from routeiq_guard_injection.config import Config, Options
from routeiq_sdk.guards import TextGuard


class GuardInjection(TextGuard[Config, Options]):
    """Prompt injection, for RouteIQ: heuristics, a small classifier, canary tokens, tool results."""

    Config = Config
