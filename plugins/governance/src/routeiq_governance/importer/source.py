"""Reads the tables of a LiteLLM proxy's PostgreSQL, in one snapshot and without changing anything.

What the rows mean is read elsewhere. Tables and columns that an older release does not have are missing, not errors.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from routeiq_governance.importer.report import ImportFailed

_OF_PRISMA = ("schema", "connection_limit", "pool_timeout", "pgbouncer", "connect_timeout", "socket_timeout")
_SECONDS = 10.0
_AT_ONCE = 500
Row = Mapping[str, Any]


class Source:
    """An open database of a LiteLLM proxy."""

    def __init__(self, connection: Any, schema: str) -> None:
        self._connection = connection
        self._schema = schema

    async def rows(self, table: str, order: str) -> AsyncIterator[Row]:
        """All rows of a table in the order of a column; none when there is no such table."""
        if not await self._has(table):
            return
        statement = f'SELECT * FROM "{self._schema}"."{table}" ORDER BY "{order}"'  # noqa: S608 (our own names)
        async for record in self._connection.cursor(statement, prefetch=_AT_ONCE):
            yield dict(record)

    async def all(self, table: str, order: str) -> list[Row]:
        """The rows of a small table at once."""
        return [row async for row in self.rows(table, order)]

    async def _has(self, table: str) -> bool:
        found = await self._connection.fetchval("SELECT to_regclass($1)", f'"{self._schema}"."{table}"')
        return found is not None


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Source]:
    """The database at an address as Prisma writes it. Raises `ImportFailed`, which never names the password."""
    try:
        import asyncpg
    except ImportError:
        raise ImportFailed("reading PostgreSQL needs asyncpg: pip install 'routeiq-governance[import]'") from None
    address, schema = _address(url)
    try:
        connection = await asyncpg.connect(address, timeout=_SECONDS, statement_cache_size=0)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        where = urlsplit(address)
        at = f"{where.hostname or 'localhost'}{where.path}"
        raise ImportFailed(f"cannot open the LiteLLM database at {at}: {_told(error, where.password)}") from None
    try:
        for name in ("json", "jsonb"):
            await connection.set_type_codec(name, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            source = Source(connection, schema)
            if not await source._has("LiteLLM_VerificationToken"):
                raise ImportFailed(f"there are no tables of LiteLLM in schema {schema!r} of this database")
            yield source
    finally:
        await connection.close()


def _address(url: str) -> tuple[str, str]:
    """The address without what only Prisma understands, and the schema."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql"):
        raise ImportFailed("--from is the address of the LiteLLM database: postgresql://user:password@host:5432/name")
    told = parse_qsl(parts.query)
    schema = dict(told).get("schema", "public")
    if '"' in schema or not schema:
        raise ImportFailed("the schema of the address is no name")
    query = urlencode([(name, value) for name, value in told if name not in _OF_PRISMA])
    return urlunsplit(("postgresql", parts.netloc, parts.path, query, "")), schema


def _told(error: BaseException, password: str | None) -> str:
    text = str(error) or type(error).__name__
    return text.replace(password, "****") if password else text
