"""The plugin: its rows become the hooks of a guard."""

from __future__ import annotations

from routeiq_guard_external.config import Config, Options
from routeiq_sdk.guards import TextGuard


class GuardExternal(TextGuard[Config, Options]):
    """Guards elsewhere, for RouteIQ: moderation models, HTTP guards, and models that judge."""

    Config = Config
