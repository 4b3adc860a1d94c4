"""The plugin: its rows become the hooks of a guard."""

from __future__ import annotations

from routeiq_guard_secrets.config import Config, Options
from routeiq_sdk.guards import TextGuard


class GuardSecrets(TextGuard[Config, Options]):
    """Credentials in prompts and answers, for RouteIQ: found by shape, masked or refused."""

    Config = Config
