"""What SCIM does with groups: each operation on the directory, whole or not at all.

HTTP is `routes`' business, the form of a group `groups`'.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from routeiq_oidc.scim import groups
from routeiq_oidc.scim.changes import Changes
from routeiq_oidc.scim.errors import invalid, missing, taken
from routeiq_oidc.scim.lookup import every_group, groups_where, page
from routeiq_oidc.scim.patch import patched
from routeiq_oidc.scim.turns import Turns
from routeiq_sdk.gateway import Directory
from routeiq_sdk.values.directory import DirectoryGroup

_NAMES = "group names"


class Teams:
    """Groups, as far as the configured organization reaches."""

    def __init__(self, directory: Directory, turns: Turns, changes: Changes, organization: str | None) -> None:
        self._directory = directory
        self._turns = turns
        self._changes = changes
        self._organization = organization

    async def find(self, where: tuple[str, str] | None, start: int, count: int) -> tuple[list[dict[str, Any]], int]:
        """A page of groups and how many there are."""
        if where is None:
            found, total = await page(every_group(self._directory), self._sees, start, count)
        else:
            seen = [group for group in await groups_where(self._directory, *where) if self._sees(group)]
            found, total = seen[start - 1 : start - 1 + count], len(seen)
        return [groups.to_resource(group) for group in found], total

    async def get(self, id: str) -> dict[str, Any]:
        """One group."""
        return groups.to_resource(await self._group(id))

    async def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A new group."""
        new = groups.from_resource(body, str(uuid.uuid4()), self._organization)
        async with self._turns.of(_NAMES):
            return await self._save(new, None)

    async def replace(self, id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A group, said anew."""
        async with self._turns.of(_NAMES):
            before = await self._group(id)
            return await self._save(groups.from_resource(body, id, before.organization), before)

    async def patch(self, id: str, body: Any) -> dict[str, Any]:
        """A group, changed in parts."""
        async with self._turns.of(_NAMES):
            before = await self._group(id)
            resource = patched(groups.to_resource(before), body)
            return await self._save(groups.from_resource(resource, id, before.organization), before)

    async def delete(self, id: str) -> None:
        """No such group any more."""
        async with self._turns.of(_NAMES):
            await self._group(id)
            await self._directory.remove_group(id)
        await self._changes.announce("group.deleted", id)

    async def _save(self, group: DirectoryGroup, before: DirectoryGroup | None) -> dict[str, Any]:
        await self._check_free(group)
        for member in sorted(group.members - (before.members if before is not None else frozenset())):
            user = await self._directory.user(member)
            if user is None or (self._organization is not None and user.organization != self._organization):
                raise invalid(f"member {member!r} is no user")
        saved = await self._directory.save_group(group)
        await self._changes.announce("group.created" if before is None else "group.updated", saved.id)
        return groups.to_resource(saved)

    async def _check_free(self, group: DirectoryGroup) -> None:
        if group.external_id is None:
            return
        for other in await self._directory.find_groups(external_id=group.external_id, most=2):
            if other.id != group.id:
                raise taken(f"externalId {group.external_id!r}")

    async def _group(self, id: str) -> DirectoryGroup:
        group = await self._directory.group(id)
        if group is None or not self._sees(group):
            raise missing("group", id)
        return group

    def _sees(self, group: DirectoryGroup) -> bool:
        return self._organization is None or group.organization == self._organization
