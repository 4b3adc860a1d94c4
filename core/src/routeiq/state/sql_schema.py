"""Which revision the tables have, and how they get to the one that this release needs (Alembic).

Alembic is loaded only when there is something to migrate. When to migrate is decided by `sql_open` and the command.
"""

from __future__ import annotations

import logging
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from routeiq.state.sql_tables import VERSION_TABLE

HEAD = "0001"
"""The revision that this release works with."""
_LOCK = 0x526F757465495153  # two migrations at once: the second waits for the first
_SCRIPTS = Path(__file__).parent / "migrations"


def revision(connection: Connection) -> str | None:
    """The revision of the tables that are there; `None` when there are none."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608
    return str(found) if found is not None else None


def upgrade(connection: Connection, to: str = HEAD) -> None:
    """Bring the tables to a revision, in the connection's transaction: all of it or nothing."""
    from alembic.command import upgrade as run
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    run(config, to)
