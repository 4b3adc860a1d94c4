"""The SDK's directory of users and groups over this database."""

from __future__ import annotations

from typing import Any

from routeiq_governance.identity.gate import Identity
from routeiq_governance.store.database import Database


class StoredDirectory:
    """Implements `routeiq_sdk.gateway.Directory`."""

    def __init__(self, database: Database, identity: Identity) -> None:
        self._database = database
        self._identity = identity

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)
