"""Which revision the governance tables have, and how they get to the one that this release needs (Alembic).

Alembic is loaded only when there is something to migrate.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from routeiq_sdk import PluginError

VERSION_TABLE = "routeiq_governance_version"
HEAD = "0002"
"""The revision that this release works with."""
_SCRIPTS = Path(__file__).parent / "migrations"


def revision(connection: Connection) -> str | None:
    """The revision of the tables that are there; `None` when there are none."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 (our constant)
    return str(found) if found is not None else None


def upgrade(connection: Connection, to: str = HEAD) -> None:
    """Bring the tables to a revision, in the connection's transaction: all of it or nothing. Raises `PluginError` for
    tables of a revision that this release does not know."""
    from alembic.command import upgrade as run
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        run(config, to)
    except CommandError:
        raise PluginError(
            "governance",
            f"our tables have revision {revision(connection) or 'none'}, which this release does not know",
            mend="use the release that made them, or a newer one",
        ) from None
