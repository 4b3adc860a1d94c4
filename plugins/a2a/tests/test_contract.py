"""What every plugin promises, inherited from the SDK."""

from __future__ import annotations

from routeiq_a2a import A2A
from routeiq_sdk.testing import PluginContract


class TestA2A(PluginContract):
    plugin = A2A
    name = "a2a"
    group = "routeiq.protocols"
    config = {"agents": {"echo": {"url": "https://echo.example", "as_model": True, "as_tools": True}}}
