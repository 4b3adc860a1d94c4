"""`routeiq migrate`.

Brings the tables of PostgreSQL databases to the revision that this release needs: ours and those of plugins. Embedded
files need no command: the start that opens them migrates them.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

if TYPE_CHECKING:
    from routeiq.config.model import Config

GROUP = "routeiq.migrations"


class Migrations(Protocol):
    """The schema of one plugin. An entry point of the group `routeiq.migrations`, called as the plugin is, names it.

    It is asked only when its plugin runs with the configuration. `document` is the whole YAML with its references
    resolved and its secrets as `Secret`.
    """

    name: str
    """What the schema is called in the command's output."""

    async def current(self, document: Mapping[str, Any]) -> tuple[str | None, str] | None:
        """The revision that is there (`None`: no tables) and the one that is needed; `None` when the plugin keeps
        nothing in a database that must be migrated by hand. Raises `ConfigError` or `StoreUnavailable`."""

    async def upgrade(self, document: Mapping[str, Any]) -> None:
        """Bring the tables to the revision that is needed. Raises the same."""


@dataclass(slots=True)
class Line:
    """One schema of the answer."""

    schema: str
    revision: str | None
    needed: str
    migrated: bool = False

    @property
    def ready(self) -> bool:
        """Whether a start would take it."""
        return self.revision == self.needed


@click.command()
@click.option("--config", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--check", is_flag=True, help="Change nothing; exit 1 when a migration is due.")
@click.option("--json", "as_json", is_flag=True, help="Print the schemas as JSON.")
def migrate(path: Path, check: bool, as_json: bool) -> None:
    """Bring database tables to the revision that this release needs."""
    from routeiq.config import load

    lines = asyncio.run(_migrate(load(path), check=check))
    ok = all(line.ready for line in lines)
    if as_json:
        click.echo(json.dumps({"ok": ok, "schemas": [asdict(line) for line in lines]}))
    else:
        for line in lines:
            click.echo(_told(line))
        if not lines:
            click.echo("nothing to migrate: no PostgreSQL database is configured")
    sys.exit(0 if ok else 1)


async def _migrate(config: Config, *, check: bool) -> list[Line]:
    lines = []
    for migrations in _schemas(config):
        found = await migrations.current(config.written)
        if found is None:
            continue
        line = Line(migrations.name, *found)
        if not check and not line.ready:
            await migrations.upgrade(config.written)
            after = await migrations.current(config.written)
            line.revision, line.migrated = (after[0] if after is not None else None), True
        lines.append(line)
    return lines


def _schemas(config: Config) -> Iterator[Migrations]:
    """Ours, if the state is kept in PostgreSQL, and those of the plugins that would run."""
    from routeiq.config.store_choice import choose_store
    from routeiq.runtime import assemble_all
    from routeiq.shared import closed_shared

    choice = choose_store(config, config.routeiq.server.workers)
    if choice.kind == "postgresql":
        from routeiq.state.open import explained

        with explained(choice):
            from routeiq.state.sql_migrate import StateMigrations
        yield StateMigrations(choice)
    members = assemble_all(config, closed_shared()).plugins.members
    running = {(member.examined.found.name, member.examined.found.distribution) for member in members}
    for point in entry_points(group=GROUP):
        if point.dist is not None and (point.name, point.dist.name) in running:
            loaded: Migrations | type[Migrations] = point.load()
            yield loaded() if isinstance(loaded, type) else loaded


def _told(line: Line) -> str:
    if line.migrated:
        return f"{line.schema}: migrated to revision {line.revision}"
    if line.ready:
        return f"{line.schema}: at revision {line.revision}, nothing to do"
    there = f"at revision {line.revision}" if line.revision is not None else "without tables"
    return f"{line.schema}: {there}, needs {line.needed}"
