"""Which teams and keys have an access group: it stands in their settings, where `access` reads it.

What a group allows is decided there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Table, Text, cast, select
from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.store.entities import Key, Repository, Team, keys, teams
from routeiq_sdk import RequestError

IDS = "access_group_ids"
_REPOSITORIES: dict[str, Repository[Any]] = {"teams": teams, "keys": keys}


async def assigned(connection: AsyncConnection, kind: str, group: str) -> dict[str, str | None]:
    """The `teams` or `keys` that have a group: alias by id."""
    return {each.id: each.alias for each in await _having(connection, kind, group)}


async def reassign(
    connection: AsyncConnection, kind: str, group: str, ids: Sequence[str], now: int, by: str
) -> list[str]:
    """Let exactly these have the group; the ids of those that were changed. Raises `RequestError(404)` for an id that
    does not exist."""
    repository = _REPOSITORIES[kind]
    before = {each.id: each for each in await _having(connection, kind, group)}
    after = await repository.many(connection, list(ids))
    unknown = [id for id in ids if id not in after]
    if unknown:
        param = f"assigned_{kind[:-1]}_ids"
        message = f"{kind[:-1]} {unknown[0]!r} does not exist"
        raise RequestError(404, message, type="not_found", param=param, code="404")
    changed = []
    for id, entity in {**before, **after}.items():
        if (id in before) != (id in after):
            groups = [name for name in entity.settings.get(IDS, ()) if name != group]
            settings = {**entity.settings, IDS: [*groups, group] if id in after else groups}
            await repository.save(
                connection, msgspec.structs.replace(entity, settings=settings, updated_at=now, updated_by=by)
            )
            changed.append(id)
    return changed


async def _having(connection: AsyncConnection, kind: str, group: str) -> list[Team | Key]:
    repository = _REPOSITORIES[kind]
    table: Table = repository.table
    # The text of the JSON names few rows falsely, and reading those few settles it.
    named = select(table.c.id).where(cast(table.c.settings, Text).contains(IDS, autoescape=True))
    ids = [row[0] for row in (await connection.execute(named)).all()]
    found = await repository.many(connection, ids)
    return [each for _, each in sorted(found.items()) if group in each.settings.get(IDS, ())]
