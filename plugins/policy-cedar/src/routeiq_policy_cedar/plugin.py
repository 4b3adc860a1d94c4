"""The policy-cedar plugin: hooks that ask the policies in force, and nothing else.

Policies narrow what roles allow; they never widen it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from routeiq_policy_cedar.config import CedarConfig
from routeiq_sdk import Context, Deployment, Gateway, Plugin, Reject, hookimpl
from routeiq_sdk.values.health import Health
from routeiq_sdk.values.http import Routes

if TYPE_CHECKING:
    from routeiq_policy_cedar.enforcer import Enforcer


class PolicyCedar(Plugin[CedarConfig]):
    """Access policies in Cedar."""

    after = frozenset({"governance", "oidc"})

    def __init__(self, config: CedarConfig) -> None:
        super().__init__(config)
        self._enforcer: Enforcer | None = None

    @hookimpl
    def register_routes(self, routes: Routes) -> None:
        from routeiq_policy_cedar.api import register

        register(routes, lambda: self._ready)

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        from routeiq_policy_cedar.enforcer import Enforcer

        enforcer = Enforcer(self.config, gateway)
        await enforcer.policies.open()
        self._enforcer = enforcer

    @hookimpl
    async def health_check(self) -> Health:
        fault = self._ready.policies.fault
        return Health() if fault is None else Health("degraded", fault)

    @hookimpl
    async def authorize_action(self, ctx: Context, action: str) -> Reject | None:
        return await self._ready.authorize_action(ctx, action)

    @hookimpl
    async def authorize(self, ctx: Context) -> Reject | None:
        return await self._ready.authorize(ctx)

    @hookimpl
    def authorize_target(self, ctx: Context, deployment: Deployment) -> Reject | None:
        return self._ready.authorize_target(ctx, deployment)

    @property
    def _ready(self) -> Enforcer:
        if self._enforcer is None:
            raise LookupError("policy-cedar is not set up")
        return self._enforcer
