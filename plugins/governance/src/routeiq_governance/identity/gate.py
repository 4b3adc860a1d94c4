"""Who calls: from a credential to a caller."""

from __future__ import annotations

from routeiq_governance.config import GovernanceConfig
from routeiq_governance.identity.caller import Caller
from routeiq_governance.store.database import Database
from routeiq_sdk import Context, Gateway, Principal, Reject


class Identity:
    """The identity of requests."""

    def __init__(self, config: GovernanceConfig, database: Database) -> None:
        self._config = config
        self._database = database

    async def open(self, gateway: Gateway) -> None:
        """Start caches."""

    async def close(self) -> None:
        """Stop."""

    async def authenticate(self, ctx: Context) -> Principal | Reject | None:
        """The principal of a virtual key."""
        return None

    async def caller(self, ctx: Context) -> Caller:
        """The caller behind `ctx.principal`, whoever authenticated it: this plugin, the core (the master key), or
        another plugin (users and services of an identity provider). Cached; kept in `ctx` for later gates."""
        return Caller(kind=ctx.principal.kind)
