"""The plugin: its rows become the hooks of a guard.

What a credential looks like is not known here.
"""

from __future__ import annotations

from routeiq_guard_secrets.config import Config, Options
from routeiq_guard_secrets.inspector import Secrets
from routeiq_sdk import Context, Gateway, hookimpl
from routeiq_sdk.guards import Inspector, Rail, TextGuard


class GuardSecrets(TextGuard[Config, Options]):
    """Credentials in prompts and answers, for RouteIQ: found by shape, masked or refused."""

    Config = Config

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        """Make the rows' inspectors."""
        await super().setup(gateway)
        self._inspectors = {rail.name: _secrets(rail.options) for rail in self.rails}

    def inspector(self, ctx: Context, rail: Rail[Options]) -> Inspector:
        """The row's; it keeps nothing of a request."""
        return self._inspectors[rail.name]


def _secrets(options: Options) -> Secrets:
    return Secrets(options.kinds, mask=options.action == "mask", entropy=options.entropy, allow=options.allow)
