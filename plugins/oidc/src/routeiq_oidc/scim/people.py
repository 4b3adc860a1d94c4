"""What SCIM does with users: each operation on the directory, whole or not at all.

HTTP is `routes`' business, the form of a user `users`'.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from routeiq_oidc.people.removed import Removed
from routeiq_oidc.scim import users
from routeiq_oidc.scim.changes import Changes
from routeiq_oidc.scim.errors import missing, taken
from routeiq_oidc.scim.lookup import every_user, page, user_named, users_where
from routeiq_oidc.scim.patch import patched
from routeiq_oidc.scim.turns import Turns
from routeiq_sdk.gateway import Directory
from routeiq_sdk.values.directory import DirectoryUser

_NAMES = "user names"


class People:
    """Users, as far as the configured organization reaches."""

    def __init__(
        self, directory: Directory, turns: Turns, removed: Removed, changes: Changes, organization: str | None
    ) -> None:
        self._directory = directory
        self._turns = turns
        self._removed = removed
        self._changes = changes
        self._organization = organization

    async def find(self, where: tuple[str, str] | None, start: int, count: int) -> tuple[list[dict[str, Any]], int]:
        """A page of users and how many there are."""
        if where is None:
            found, total = await page(every_user(self._directory), self._sees, start, count)
        else:
            seen = [user for user in await users_where(self._directory, *where) if self._sees(user)]
            found, total = seen[start - 1 : start - 1 + count], len(seen)
        return [users.to_resource(user) for user in found], total

    async def get(self, id: str) -> dict[str, Any]:
        """One user."""
        return users.to_resource(await self._user(id))

    async def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A new user."""
        new = users.from_resource(body, str(uuid.uuid4()), self._organization, None)
        async with self._turns.of(_NAMES):
            await self._check_free(new)
            await self._removed.discard(new.external_id, users.user_name(new), new.email)
            return await self._save(new)

    async def replace(self, id: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A user, said anew."""
        async with self._turns.of(_NAMES):
            before = await self._user(id)
            return await self._change(before, body)

    async def patch(self, id: str, body: Any) -> dict[str, Any]:
        """A user, changed in parts."""
        async with self._turns.of(_NAMES):
            before = await self._user(id)
            return await self._change(before, patched(users.to_resource(before), body))

    async def delete(self, id: str) -> None:
        """No such user any more, nor one created by a token of its."""
        async with self._turns.of(_NAMES):
            user = await self._user(id)
            await self._removed.add(id, user.external_id, users.user_name(user), user.email)
            await self._directory.remove_user(id)
        await self._changes.announce("user.deleted", id)

    async def _change(self, before: DirectoryUser, resource: Mapping[str, Any]) -> dict[str, Any]:
        after = users.from_resource(resource, before.id, self._organization, before)
        await self._check_free(after)
        return await self._save(after, "user.deactivated" if before.active and not after.active else "user.updated")

    async def _save(self, user: DirectoryUser, what: str = "user.created") -> dict[str, Any]:
        saved = await self._directory.save_user(user)
        await self._changes.announce(what, saved.id)
        return users.to_resource(saved)

    async def _check_free(self, user: DirectoryUser) -> None:
        name = users.user_name(user)
        other = await user_named(self._directory, name)
        if other is not None and other.id != user.id:
            raise taken(f"userName {name!r}")
        if user.external_id is not None:
            for other in await self._directory.find_users(external_id=user.external_id, most=2):
                if other.id != user.id:
                    raise taken(f"externalId {user.external_id!r}")

    async def _user(self, id: str) -> DirectoryUser:
        user = await self._directory.user(id)
        if user is None or not self._sees(user):
            raise missing("user", id)
        return user

    def _sees(self, user: DirectoryUser) -> bool:
        return self._organization is None or user.organization == self._organization
