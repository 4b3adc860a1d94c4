"""The plugin: its rows become the hooks of a guard."""

from __future__ import annotations

from routeiq_guard_pii.config import Config, Options
from routeiq_sdk.guards import TextGuard


class GuardPii(TextGuard[Config, Options]):
    """Personal data in prompts and answers, for RouteIQ: masked, hashed, refused, or put back into the answer."""

    Config = Config
