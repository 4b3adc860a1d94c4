"""A directory in memory: what the plugin does with any directory is tested with this one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from routeiq_sdk import Plugin, PluginConfig, StoreUnavailable, hookimpl
from routeiq_sdk.gateway import Directory
from routeiq_sdk.values.directory import DirectoryGroup, DirectoryUser


class MemoryDirectory:
    """Implements `routeiq_sdk.gateway.Directory`. `reads` counts look-ups of one user; `away` makes it unreachable."""

    def __init__(self) -> None:
        self.users: dict[str, DirectoryUser] = {}
        self.groups: dict[str, DirectoryGroup] = {}
        self.reads = 0
        self.away = False

    def add(self, *things: DirectoryUser | DirectoryGroup) -> MemoryDirectory:
        """With these in it."""
        for thing in things:
            if isinstance(thing, DirectoryUser):
                self.users[thing.id] = thing
            else:
                self.groups[thing.id] = thing
        return self

    def deactivate(self, id: str) -> None:
        """As an administrator would."""
        self.users[id] = replace(self.users[id], active=False)

    async def user(self, id: str) -> DirectoryUser | None:
        self.reads += 1
        await self._reach()
        return self.users.get(id)

    async def find_users(
        self, *, email: str | None = None, external_id: str | None = None, after: str = "", most: int = 100
    ) -> Sequence[DirectoryUser]:
        await self._reach()
        found = [self.users[id] for id in sorted(self.users) if id > after]
        if email is not None:
            found = [user for user in found if user.email == email]
        if external_id is not None:
            found = [user for user in found if user.external_id == external_id]
        return found[:most]

    async def save_user(self, user: DirectoryUser) -> DirectoryUser:
        await self._reach()
        self.users[user.id] = user
        return user

    async def remove_user(self, id: str) -> bool:
        await self._reach()
        for group in list(self.groups.values()):
            self.groups[group.id] = replace(group, members=group.members - {id})
        return self.users.pop(id, None) is not None

    async def group(self, id: str) -> DirectoryGroup | None:
        await self._reach()
        return self.groups.get(id)

    async def find_groups(
        self, *, name: str | None = None, external_id: str | None = None, after: str = "", most: int = 100
    ) -> Sequence[DirectoryGroup]:
        await self._reach()
        found = [self.groups[id] for id in sorted(self.groups) if id > after]
        if name is not None:
            found = [group for group in found if group.name == name]
        if external_id is not None:
            found = [group for group in found if group.external_id == external_id]
        return found[:most]

    async def save_group(self, group: DirectoryGroup) -> DirectoryGroup:
        await self._reach()
        self.groups[group.id] = group
        return group

    async def remove_group(self, id: str) -> bool:
        await self._reach()
        return self.groups.pop(id, None) is not None

    async def _reach(self) -> None:
        await asyncio.sleep(0)  # others have their turn here, as with any real store
        if self.away:
            raise StoreUnavailable("the directory is away")


class DirectoryPlugin(Plugin[PluginConfig]):
    """Offers the directory that a test put into `offered`."""

    Config = PluginConfig
    offered: Any = None

    @hookimpl
    def offer_directory(self) -> Directory | None:
        directory: Directory | None = type(self).offered
        return directory
