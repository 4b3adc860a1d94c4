"""What a caller may do."""

from __future__ import annotations

from routeiq_governance.config import GovernanceConfig
from routeiq_governance.identity.gate import Identity
from routeiq_governance.store.database import Database
from routeiq_sdk import Context, Deployment, Gateway, Reject


class Access:
    """Decides over actions, requests and targets."""

    def __init__(self, config: GovernanceConfig, database: Database, identity: Identity) -> None:
        self._config = config
        self._database = database
        self._identity = identity

    async def open(self, gateway: Gateway) -> None:
        """Load roles and bindings."""

    async def close(self) -> None:
        """Stop."""

    async def authorize_action(self, ctx: Context, action: str) -> bool | Reject | None:
        """Whether the caller may do the route's action somewhere."""
        return None

    async def authorize(self, ctx: Context) -> Reject | None:
        """Whether the caller may ask for this model now."""
        return None

    def authorize_target(self, ctx: Context, deployment: Deployment) -> Reject | None:
        """Whether the caller may use this deployment."""
        return None
