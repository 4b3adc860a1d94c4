"""How much a caller may use: the gates of quotas."""

from __future__ import annotations

from collections.abc import Sequence

from routeiq_governance.config import GovernanceConfig
from routeiq_governance.identity.gate import Identity
from routeiq_governance.ledger.book import Ledger
from routeiq_governance.store.database import Database
from routeiq_sdk import Attempt, Context, Gateway, ModelGroup, Outcome, Reject, StreamMeter, Usage


class Quotas:
    """Holds, tops up and settles."""

    def __init__(self, config: GovernanceConfig, database: Database, identity: Identity, ledger: Ledger) -> None:
        self._config = config

    async def open(self, gateway: Gateway) -> None:
        """Start the sweeper."""

    async def close(self) -> None:
        """Stop."""

    async def reserve(self, ctx: Context, ranked: Sequence[ModelGroup]) -> Reject | None:
        """Hold."""
        return None

    async def before_attempt(self, ctx: Context, attempt: Attempt) -> Reject | None:
        """Clamp."""
        return None

    async def after_attempt(self, ctx: Context, outcome: Outcome) -> None:
        """Note."""

    def meter_stream(self, ctx: Context) -> StreamMeter | None:
        """Top up."""
        return None

    async def settle(self, ctx: Context, usage: Usage | None) -> None:
        """Settle."""
