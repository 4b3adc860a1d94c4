"""The embedded governance database as its migrations leave it: made once a process, copied for each gateway.

What migrations do, and when they run, is tested beside them, without this.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_FILE = "governance.sqlite3"


def lay_tables(folder: Path) -> None:
    """Put the migrated database into a plugin's data folder, unless there is one."""
    path = folder / _FILE
    if not path.exists():
        path.write_bytes(_migrated())


def lay_tables_for(config: Mapping[str, Any]) -> None:
    """The same for a whole configuration that is about to be served, if it asks for an embedded one."""
    block = config["routeiq"]
    plugins = block.get("plugins")
    if not isinstance(plugins, Mapping) or "governance" not in plugins:
        return
    governance = plugins["governance"] or {}
    if "database_url" in config["general_settings"] or "database_url" in governance:
        return
    folder = Path(block["data_dir"]) / "plugins" / "governance"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lay_tables(folder)


@functools.cache
def _migrated() -> bytes:
    from sqlalchemy import create_engine

    from routeiq_governance.store.schema import upgrade

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _FILE
        engine = create_engine(f"sqlite:///{path}")
        with engine.begin() as connection:
            upgrade(connection)
        engine.dispose()
        return path.read_bytes()
