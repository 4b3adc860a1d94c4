"""Keys of teams and users, for the answers that show a team or a user with its keys.

The routes of keys themselves are in `keys`, how one is shown is in `key_rows`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from routeiq_governance.api.key_reading import keys_within
from routeiq_governance.api.key_rows import key_rows
from routeiq_governance.identity.caller import Caller
from routeiq_governance.store.entities import Key, keys

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_COLUMNS = keys.table.c
_PART = 500


async def keys_of_teams(parts: Parts, caller: Caller, teams: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The keys of teams that the caller may see, by team."""
    seen = keys_within(await parts.access.reach(caller, "key:list"))
    found: list[Key] = []
    async with parts.database.read() as connection:
        for start in range(0, len(teams), _PART):
            part = teams[start : start + _PART]
            found += await keys.find(connection, _COLUMNS.team_id.in_(part), *seen)
    by_team: dict[str, list[dict[str, Any]]] = {team: [] for team in teams}
    for key, row in zip(found, await key_rows(parts, found), strict=True):
        by_team[key.team_id or ""].append(row)
    return by_team


async def keys_of_user(parts: Parts, caller: Caller, user: str) -> list[dict[str, Any]]:
    """The keys of a user that the caller may see."""
    seen = keys_within(await parts.access.reach(caller, "key:list"))
    async with parts.database.read() as connection:
        found = await keys.find(connection, _COLUMNS.user_id == user, *seen)
    return await key_rows(parts, found)
