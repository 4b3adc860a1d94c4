"""The governance schema for `routeiq migrate`: its revision in a PostgreSQL database, and how it gets to ours.

The embedded file is migrated by the start that opens it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routeiq_governance.store import schema
from routeiq_governance.store.database import make_engine, reaching
from routeiq_sdk import Secret


class GovernanceMigrations:
    """Registered as an entry point of the group `routeiq.migrations`."""

    name = "governance"

    async def current(self, document: Mapping[str, Any]) -> tuple[str | None, str] | None:
        """The revision that is there and the one that is needed; `None` without a PostgreSQL database."""
        url = _url(document)
        if url is None:
            return None
        return await _run(url, schema.revision), schema.HEAD

    async def upgrade(self, document: Mapping[str, Any]) -> None:
        """Bring the tables to our revision."""
        url = _url(document)
        if url is not None:
            await _run(url, schema.upgrade)


def _url(document: Mapping[str, Any]) -> str | None:
    general = document.get("general_settings")
    written = general.get("database_url") if isinstance(general, Mapping) else None
    text = written.reveal() if isinstance(written, Secret) else written
    return text if isinstance(text, str) and text.startswith("postgres") else None


async def _run(url: str, work: Any) -> Any:
    engine = make_engine(url, command_seconds=None)
    try:
        with reaching():
            async with engine.begin() as connection:
                return await connection.run_sync(work)
    finally:
        await engine.dispose()
