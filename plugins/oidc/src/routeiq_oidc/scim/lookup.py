"""Finding users and groups in the directory as SCIM asks for them: by an attribute, or page by page.

The directory pages by id; SCIM counts. So a page costs a walk over those before it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from routeiq_oidc.scim.errors import invalid
from routeiq_oidc.scim.users import user_name
from routeiq_sdk.gateway import Directory
from routeiq_sdk.values.directory import DirectoryGroup, DirectoryUser

_PAGE = 500
T = TypeVar("T", DirectoryUser, DirectoryGroup)


async def every_user(directory: Directory) -> AsyncIterator[DirectoryUser]:
    """All users in the order of their ids."""
    after = ""
    while page := await directory.find_users(after=after, most=_PAGE):
        for user in page:
            yield user
        after = page[-1].id


async def every_group(directory: Directory) -> AsyncIterator[DirectoryGroup]:
    """All groups in the order of their ids."""
    after = ""
    while page := await directory.find_groups(after=after, most=_PAGE):
        for group in page:
            yield group
        after = page[-1].id


async def users_where(directory: Directory, name: str, value: str) -> list[DirectoryUser]:
    """The users whose attribute equals a text. Raises `ScimError` for one that cannot be asked for."""
    if name == "username":
        found = await user_named(directory, value)
        return [found] if found is not None else []
    if name == "externalid":
        return list(await directory.find_users(external_id=value))
    if name in ("emails", "emails.value"):
        return list(await directory.find_users(email=value))
    if name == "id":
        user = await directory.user(value)
        return [user] if user is not None else []
    raise invalid("users can be filtered by userName, externalId, emails.value or id", "invalidFilter")


async def groups_where(directory: Directory, name: str, value: str) -> list[DirectoryGroup]:
    """The groups whose attribute equals a text. Raises `ScimError` for one that cannot be asked for."""
    if name == "displayname":
        return list(await directory.find_groups(name=value))
    if name == "externalid":
        return list(await directory.find_groups(external_id=value))
    if name == "id":
        group = await directory.group(value)
        return [group] if group is not None else []
    raise invalid("groups can be filtered by displayName, externalId or id", "invalidFilter")


async def user_named(directory: Directory, name: str) -> DirectoryUser | None:
    """The user that signs in with this name, which knows no case."""
    wanted = name.casefold()
    user = await directory.user(name)
    near = ([user] if user is not None else []) + list(await directory.find_users(email=name))
    for each in near:
        if user_name(each).casefold() == wanted:
            return each
    async for each in every_user(directory):
        if user_name(each).casefold() == wanted:
            return each
    return None


async def page(resources: AsyncIterator[T], sees: Callable[[T], bool], start: int, count: int) -> tuple[list[T], int]:
    """Those from number `start` (1 is the first), at most `count`, and how many there are."""
    total, chosen = 0, []
    async for resource in resources:
        if sees(resource):
            total += 1
            if start <= total < start + count:
                chosen.append(resource)
    return chosen, total
