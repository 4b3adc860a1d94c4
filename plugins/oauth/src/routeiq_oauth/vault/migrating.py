"""The vault's tables for `routeiq migrate`.

The embedded file is made by the start that opens it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import Connection

from routeiq_oauth.vault.database import HEAD, create, found_revision, make_engine, reaching
from routeiq_sdk import Secret

T = TypeVar("T")


class VaultMigrations:
    """Registered as an entry point of the group `routeiq.migrations`."""

    name = "oauth"

    async def current(self, document: Mapping[str, Any]) -> tuple[str | None, str] | None:
        """The revision that is there and the one that is needed; `None` without a PostgreSQL database."""
        url = _url(document)
        return None if url is None else (await _run(url, found_revision), HEAD)

    async def upgrade(self, document: Mapping[str, Any]) -> None:
        """Bring the tables to our revision."""
        url = _url(document)
        if url is not None:
            await _run(url, create)


def _url(document: Mapping[str, Any]) -> str | None:
    value: Any = document
    for name in ("routeiq", "plugins", "oauth", "database_url"):
        value = value.get(name) if isinstance(value, Mapping) else None
    text = value.reveal() if isinstance(value, Secret) else value
    return text if isinstance(text, str) and text.startswith("postgres") else None


async def _run(url: str, work: Callable[[Connection], T]) -> T:
    engine = make_engine(url)
    try:
        with reaching():
            async with engine.begin() as connection:
                return await connection.run_sync(work)
    finally:
        await engine.dispose()
