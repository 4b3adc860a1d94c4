"""Names of models that belong to a team: the team asks by a public name, the row has an inner one.

So that no team's row ever stands in a group with rows of others, nor takes a name from them. The team's aliases lead
from the public name to the inner one; they are changed in the transaction that changes the row.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from routeiq_governance.catalog.checking import wrong
from routeiq_governance.store.entities import Team, teams
from routeiq_governance.store.tables import models

ALIASES = "model_aliases"


async def inner_name(connection: AsyncConnection, team: Team, public: str) -> str:
    """The inner name of a team's public one; that of the rows that have it already, if there are any.

    Raises `RequestError(400)` when the team has an alias of this name that is no model of its own.
    """
    target = _aliases(team).get(public)
    if target is None:
        return f"model_name_{team.id}_{uuid.uuid4()}"
    own = select(models.c.id).where(models.c.name == target, models.c.team_id == team.id).limit(1)
    if (await connection.execute(own)).first() is None:
        raise wrong("model_name", f"the team has an alias {public!r} for {target!r}")
    return target


async def lead(connection: AsyncConnection, team: Team, public: str, inner: str, now: int, by: str) -> bool:
    """Let the team's public name lead to the inner one; whether the team was changed."""
    aliases = _aliases(team)
    if aliases.get(public) == inner:
        return False
    await _save(connection, team, {**aliases, public: inner}, now, by)
    return True


async def forget(connection: AsyncConnection, team: Team, inner: str, now: int, by: str) -> bool:
    """Take the names away that lead to an inner one without rows; whether the team was changed."""
    if (await connection.execute(select(models.c.id).where(models.c.name == inner).limit(1))).first() is not None:
        return False
    aliases = _aliases(team)
    rest = {name: target for name, target in aliases.items() if target != inner}
    if len(rest) == len(aliases):
        return False
    await _save(connection, team, rest, now, by)
    return True


def _aliases(team: Team) -> Mapping[str, str]:
    written = team.settings.get(ALIASES)
    return written if isinstance(written, Mapping) else {}


async def _save(connection: AsyncConnection, team: Team, aliases: Mapping[str, str], now: int, by: str) -> None:
    settings = {**team.settings, ALIASES: dict(aliases)}
    if not aliases:
        del settings[ALIASES]
    await teams.save(connection, msgspec.structs.replace(team, settings=settings, updated_at=now, updated_by=by))
