"""The plugin: its rows become the hooks of a guard."""

from __future__ import annotations

from routeiq_guard_content.config import Config, Options
from routeiq_sdk.guards import TextGuard


class GuardContent(TextGuard[Config, Options]):
    """Content rules for RouteIQ: words, patterns in linear time, topics, JSON schemas, sizes."""

    Config = Config
