"""Models that are added while the gateway runs, as rows of `model_list`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from routeiq_governance.config import GovernanceConfig
from routeiq_governance.store.database import Database
from routeiq_sdk import Gateway


class AddedModels:
    """The added rows."""

    def __init__(self, config: GovernanceConfig, database: Database) -> None:
        self._config = config
        self._database = database

    async def open(self, gateway: Gateway) -> None:
        """Nothing yet."""

    async def close(self) -> None:
        """Stop."""

    async def rows(self) -> Sequence[Mapping[str, Any]]:
        """All rows, secrets opened."""
        return ()
