"""The parts of governance and how they hang together: built from the configuration, opened and closed in order.

What each does is in its own room.
"""

from __future__ import annotations

from dataclasses import dataclass

from routeiq_governance.access.gate import Access
from routeiq_governance.api.routes import register
from routeiq_governance.catalog.rows import AddedModels
from routeiq_governance.config import GovernanceConfig
from routeiq_governance.identity.directory import StoredDirectory
from routeiq_governance.identity.gate import Identity
from routeiq_governance.ledger.book import Ledger
from routeiq_governance.quotas.gate import Quotas
from routeiq_governance.store.database import Database
from routeiq_sdk import Gateway
from routeiq_sdk.values.health import Health
from routeiq_sdk.values.http import Routes


@dataclass(slots=True)
class Parts:
    """One of each. Only `open` and `close` do I/O of their own."""

    config: GovernanceConfig
    database: Database
    identity: Identity
    access: Access
    ledger: Ledger
    quotas: Quotas
    catalog: AddedModels
    directory: StoredDirectory
    gateway: Gateway | None = None
    """Known once they are opened."""

    @classmethod
    def build(cls, config: GovernanceConfig) -> Parts:
        """The parts of a configuration, nothing opened. Raises `ConfigError` for a policy that makes no sense."""
        database = Database(config)
        identity = Identity(config, database)
        access = Access(config, database, identity)
        identity.narrow = access.narrowed
        ledger = Ledger(config, database)
        return cls(
            config=config,
            database=database,
            identity=identity,
            access=access,
            ledger=ledger,
            quotas=Quotas(config, database, identity, ledger),
            catalog=AddedModels(config, database, identity.changes),
            directory=StoredDirectory(database, identity),
        )

    async def open(self, gateway: Gateway) -> None:
        """Open the database first, then what stands on it. Raises `PluginError`."""
        self.gateway = gateway
        await self.database.open(gateway)
        await self.identity.open(gateway)
        await self.access.open(gateway)
        await self.ledger.open(gateway)
        await self.quotas.open(gateway)
        await self.catalog.open(gateway)

    def now(self) -> int:
        """Unix time in nanoseconds."""
        return self.database.now()

    async def close(self) -> None:
        """The reverse, as far as it was opened."""
        for part in (self.catalog, self.quotas, self.ledger, self.access, self.identity, self.database):
            await part.close()

    async def health(self) -> Health:
        """Whether keys can be looked up and money held."""
        return await self.database.health()

    def register_routes(self, routes: Routes) -> None:
        """All management routes."""
        register(routes, self)
