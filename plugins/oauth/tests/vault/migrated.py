"""The vault's tables in a PostgreSQL database, made as `routeiq migrate` makes them."""

from __future__ import annotations

from routeiq_oauth.vault.migrating import VaultMigrations


async def migrated(url: str) -> None:
    """Bring a database to our revision."""
    document = {"routeiq": {"plugins": {"oauth": {"database_url": url}}}}
    migrations = VaultMigrations()
    assert await migrations.current(document) == (None, "0001")
    await migrations.upgrade(document)
    assert await migrations.current(document) == ("0001", "0001")
