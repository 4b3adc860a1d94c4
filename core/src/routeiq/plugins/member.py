"""One living plugin: its instance, its calls, and its way from set-up to teardown.

The order among plugins is the set's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import structlog

from routeiq.plugins.compiled import Calls
from routeiq.plugins.load import Examined
from routeiq_sdk import Gateway, Plugin, PluginError

SETUP_SECONDS = 120.0
TEARDOWN_SECONDS = 10.0

log = structlog.get_logger("routeiq.plugins")


class PluginGateway(Gateway, Protocol):
    """A gateway handle whose background work and queues end with the plugin it was made for."""

    async def aclose(self) -> None:
        """Cancel what the plugin spawned and close what it opened through the handle."""


GatewayFor = Callable[[str], PluginGateway]


class Member:
    """A constructed plugin. Two runtimes share one member when a reload does not change it."""

    def __init__(self, examined: Examined, instance: Plugin[Any], calls: Calls) -> None:
        self.examined = examined
        self.instance = instance
        self.calls = calls
        self._gateway_for: GatewayFor | None = None
        self._gateway: PluginGateway | None = None

    @property
    def name(self) -> str:
        """The name under which it runs."""
        return self.examined.found.name

    @property
    def is_open(self) -> bool:
        """Whether set-up began and teardown did not."""
        return self._gateway is not None

    async def open(self, gateway_for: GatewayFor) -> None:
        """Run its `setup`. Raises `PluginError`; `close` is owed in every case."""
        self._gateway_for = gateway_for
        self._gateway = gateway_for(self.name)
        found = self.examined.found
        try:
            await self._run("setup", SETUP_SECONDS, self._gateway)
        except PluginError:
            raise
        except Exception as error:
            raise PluginError(found.name, f"({found}) setup failed: {type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Run its `teardown` once, then end its background work. Failures are logged, never raised."""
        gateway, self._gateway = self._gateway, None
        if gateway is None:
            return
        await self._quietly("teardown", self._run("teardown", TEARDOWN_SECONDS))
        await self._quietly("closing its gateway", _within(TEARDOWN_SECONDS, gateway.aclose()))

    async def reopen(self) -> None:
        """Set it up again after its successor failed to. A failure is logged: the plugin is then out of order."""
        if self._gateway_for is not None:
            await self._quietly("setup again", self.open(self._gateway_for))

    async def _run(self, hook: str, seconds: float, *arguments: object) -> None:
        for call in self.calls:
            if call.hook == hook:
                await _within(seconds, call.function(*arguments))

    async def _quietly(self, what: str, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:
            log.error("plugin failed", plugin=self.name, during=what, error=f"{type(error).__name__}: {error}")


async def _within(seconds: float, work: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(seconds) as deadline:
            await work
    except TimeoutError:
        if deadline.expired():
            raise TimeoutError(f"it did not end within {seconds:g} s") from None
        raise
