"""The state store's schema in PostgreSQL, as the command `routeiq migrate` sees it.

The migrations themselves are in `migrations`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from routeiq.state.clock import SystemClock
from routeiq.state.open import explained
from routeiq.state.sql_database import Work
from routeiq.state.sql_postgres import PostgresDatabase
from routeiq.state.sql_schema import HEAD, revision, upgrade

if TYPE_CHECKING:
    from routeiq.config.store_choice import StoreChoice

T = TypeVar("T")

_SECONDS = 300.0


class StateMigrations:
    """The tables `routeiq_state_*` of one database."""

    name = "state"

    def __init__(self, choice: StoreChoice) -> None:
        self._choice = choice

    async def current(self, document: Mapping[str, Any]) -> tuple[str | None, str]:
        """The revision that is there, and the one that is needed. Raises `ConfigError` or `StoreUnavailable`."""
        return await self._run(revision), HEAD

    async def upgrade(self, document: Mapping[str, Any]) -> None:
        """Migrate. Raises `ConfigError` or `StoreUnavailable`."""
        await self._run(upgrade)

    async def _run(self, work: Work[T]) -> T:
        with explained(self._choice):
            async with aclosing(PostgresDatabase(self._choice.url.reveal(), SystemClock())) as database:
                return await database.write(work, seconds=_SECONDS)
