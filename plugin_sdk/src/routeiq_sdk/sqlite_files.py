"""A SQLite file that several processes may open at the same moment.

Tables and statements are the business of whoever owns the file.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import time
from pathlib import Path

from routeiq_sdk.errors import PluginError

_MEMORY = ":memory:"
_LEAST_WAIT_SECONDS = 0.001
_LONGEST_WAIT_SECONDS = 0.02


def prepare_sqlite(database: str | None, *, seconds: float = 30.0) -> None:
    """Make the file, unless it is there, for this user alone, and put it into WAL mode, which it keeps.

    `database` is what an SQLAlchemy URL calls so; memory needs nothing. The change to WAL is the one step for which
    SQLite does not wait for a lock: of several processes that start at once all but one would fail, so this waits for
    at most `seconds`. Raises `OSError`, and `sqlite3.Error` for a file that SQLite cannot use.
    """
    if database is None or database in ("", _MEMORY):
        return
    path = Path(database)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    until = time.monotonic() + seconds
    while True:
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
            return
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > until:
                raise
        finally:
            connection.close()
        time.sleep(random.uniform(_LEAST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS))  # noqa: S311 (no secret hangs on it)


async def open_sqlite(plugin: str, database: str | None) -> None:
    """`prepare_sqlite` for the database of a plugin, which its `database_url` may name. Raises `PluginError`."""
    try:
        await asyncio.to_thread(prepare_sqlite, database)
    except (OSError, sqlite3.Error) as error:
        raise PluginError(
            plugin,
            f"its SQLite file cannot be opened: {getattr(error, 'strerror', None) or error}",
            mend="make the folder writable, or correct database_url",
        ) from None
