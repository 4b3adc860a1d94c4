"""The governance plugin: its hooks, each handed to the part that knows.

No decision is taken here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from routeiq_governance.config import GovernanceConfig
from routeiq_sdk import (
    Attempt,
    Context,
    Deployment,
    Gateway,
    ModelGroup,
    Outcome,
    Plugin,
    Principal,
    Reject,
    StreamMeter,
    Usage,
    hookimpl,
)
from routeiq_sdk.gateway import Directory
from routeiq_sdk.values.health import Health
from routeiq_sdk.values.http import Routes
from routeiq_sdk.values.tools import ToolCall

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts


class Governance(Plugin[GovernanceConfig]):
    """Identities, roles, quotas and the ledger."""

    before = frozenset({"routing-classic"})

    def __init__(self, config: GovernanceConfig) -> None:
        super().__init__(config)
        self._made: Parts | None = None

    @property
    def _parts(self) -> Parts:
        """The parts, made when first needed: their libraries are heavy, and listing plugins must not load them."""
        if self._made is None:
            from routeiq_governance.parts import Parts

            self._made = Parts.build(self.config)
        return self._made

    @hookimpl
    def register_routes(self, routes: Routes) -> None:
        self._parts.register_routes(routes)

    @hookimpl
    def offer_directory(self) -> Directory:
        return self._parts.directory

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        await self._parts.open(gateway)

    @hookimpl
    async def teardown(self) -> None:
        if self._made is not None:
            await self._made.close()

    @hookimpl
    async def health_check(self) -> Health:
        return await self._parts.health()

    @hookimpl
    async def model_rows(self) -> Sequence[Mapping[str, Any]]:
        return await self._parts.catalog.rows()

    @hookimpl
    async def authenticate(self, ctx: Context) -> Principal | Reject | None:
        return await self._parts.identity.authenticate(ctx)

    @hookimpl
    async def authorize_action(self, ctx: Context, action: str) -> bool | Reject | None:
        return await self._parts.access.authorize_action(ctx, action)

    @hookimpl
    async def authorize(self, ctx: Context) -> Reject | None:
        return await self._parts.access.authorize(ctx)

    @hookimpl
    def authorize_target(self, ctx: Context, deployment: Deployment) -> Reject | None:
        return self._parts.access.authorize_target(ctx, deployment)

    @hookimpl
    async def permitted_tools(
        self,
        ctx: Context,
        protocol: str,
        server: str,
        tools: Sequence[str],
        aliases: frozenset[str],
        groups: frozenset[str],
    ) -> Collection[str] | None:
        from routeiq_governance.access.tools import Target

        target = Target(protocol, server, aliases, groups)
        return await self._parts.access.permitted_tools(ctx, target, tools)

    @hookimpl
    async def reserve_tool_call(self, ctx: Context, call: ToolCall, id: str) -> Reject | None:
        return await self._parts.quotas.tools.reserve(ctx, call, id)

    @hookimpl
    async def settle_tool_call(self, ctx: Context, call: ToolCall, id: str, called: bool, outcome: str) -> None:
        await self._parts.quotas.tools.settle(ctx, call, id, called, outcome)

    @hookimpl
    async def reserve(self, ctx: Context, ranked: Sequence[ModelGroup]) -> Reject | None:
        return await self._parts.quotas.reserve(ctx, ranked)

    @hookimpl
    async def before_attempt(self, ctx: Context, attempt: Attempt) -> Reject | None:
        return await self._parts.quotas.before_attempt(ctx, attempt)

    @hookimpl
    async def after_attempt(self, ctx: Context, outcome: Outcome) -> None:
        await self._parts.quotas.after_attempt(ctx, outcome)

    @hookimpl
    def meter_stream(self, ctx: Context) -> StreamMeter | None:
        return self._parts.quotas.meter_stream(ctx)

    @hookimpl
    async def settle(self, ctx: Context, usage: Usage | None) -> None:
        await self._parts.quotas.settle(ctx, usage)
