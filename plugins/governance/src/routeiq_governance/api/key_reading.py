"""Virtual keys, read: one, several, lists, aliases, and whether a key works.

Changing them is in `keys`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, or_

from routeiq_governance.access.gate import Reach
from routeiq_governance.api.fields import checked, missing, texts
from routeiq_governance.api.key_rows import key_row, key_rows
from routeiq_governance.api.listing import contains, order_of
from routeiq_governance.api.shapes import answer, body_of, flag_of, page_of, wrong
from routeiq_governance.identity import credentials
from routeiq_governance.store.entities import keys
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_TABLE = keys.table.c
_SORTED = {"created_at": _TABLE.created_at, "updated_at": _TABLE.updated_at, "key_alias": _TABLE.alias}


def keys_within(reach: Reach) -> list[ColumnElement[bool]]:
    """The keys that a caller reaches."""
    if reach.everywhere:
        return []
    personal = [name.partition("/")[::2] for name in reach.members]
    return [
        or_(
            _TABLE.organization_id.in_(reach.organizations),
            _TABLE.team_id.in_(reach.teams),
            _TABLE.user_id.in_(reach.users),
            _TABLE.id.in_(reach.keys),
            *((_TABLE.team_id == team) & (_TABLE.user_id == user) for team, user in personal),
        )
    ]


class ReadKeys:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def info(self, request: HttpRequest) -> HttpResponse:
        """One key: the named one, or the one that asks."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        named = request.query.get("key")
        if named is None:
            if caller.key_id is None:
                raise wrong("key", "is required for callers without a virtual key")
            named = caller.key_id
        id = credentials.id_of(named)
        if id != caller.key_id:
            await parts.access.require(caller, "key:read", scope="key", id=id)
        async with parts.database.read() as connection:
            key = await keys.get(connection, id)
        if key is None:
            raise missing("key", id, "key")
        row = await key_row(parts, key)
        return answer({"key": named if named == request.query.get("key") else id, "info": row})

    async def several(self, request: HttpRequest) -> HttpResponse:
        """Several keys; those that the caller may not see are left out."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        named = checked(body_of(request), {"keys": texts}, required=("keys",))["keys"]
        ids = [credentials.id_of(name) for name in named]
        async with parts.database.read() as connection:
            found = await keys.many(connection, ids)
        seen = [key for id, key in found.items() if id == caller.key_id or await parts.access.sees(caller, "key", id)]
        return answer({"key": named, "info": await key_rows(parts, seen)})

    async def list(self, request: HttpRequest) -> HttpResponse:
        """A page of the keys that the caller may see: by number (`page`, `size`), or all after the key `after`, by
        id."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        query = request.query
        page, size = page_of(query, 10)
        where = keys_within(await parts.access.reach(caller, "key:list"))
        for name, column in (
            ("user_id", _TABLE.user_id),
            ("team_id", _TABLE.team_id),
            ("organization_id", _TABLE.organization_id),
        ):
            if query.get(name):
                where.append(column == query[name])
        if query.get("key_alias"):
            where.append(contains(_TABLE.alias, query["key_alias"]))
        if query.get("key_hash"):
            where.append(_TABLE.id == credentials.id_of(query["key_hash"]))
        order = order_of(query, _SORTED, (_TABLE.created_at.desc(),))
        after = query.get("after")
        async with parts.database.read() as connection:
            total = await keys.count(connection, *where)
            if after is None:
                found = await keys.find(connection, *where, most=size, skip=(page - 1) * size, order=order)
            else:
                found = await keys.find(connection, *where, most=size, after=(after,))
        whole = flag_of(query, "return_full_object")
        rows: list[Any] = await key_rows(parts, found) if whole else [key.id for key in found]
        pages = -(-total // size)
        told = {"keys": rows, "total_count": total, "current_page": page, "total_pages": pages}
        if after is not None:
            told["next"] = found[-1].id if len(found) == size else None
        return answer(told)

    async def aliases(self, request: HttpRequest) -> HttpResponse:
        """The aliases of the keys that the caller may see."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        page, size = page_of(request.query, 50)
        where = [*keys_within(await parts.access.reach(caller, "key:list")), _TABLE.alias.is_not(None)]
        if request.query.get("search"):
            where.append(contains(_TABLE.alias, request.query["search"]))
        async with parts.database.read() as connection:
            total = await keys.count(connection, *where)
            found = await keys.find(connection, *where, most=size, skip=(page - 1) * size, order=(_TABLE.alias,))
        named = [key.alias for key in found]
        told = {"aliases": named, "total_count": total, "current_page": page, "total_pages": -(-total // size)}
        return answer(told)

    async def health(self, request: HttpRequest) -> HttpResponse:
        """Whether the calling key works: it does when this is answered."""
        caller = await self._parts.identity.caller_of(request)
        return answer({"key": "healthy", "key_id": caller.key_id, "logging_callbacks": None})


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes."""
    handlers = ReadKeys(parts)
    for method, path, handler, action, summary in (
        ("GET", "/key/info", handlers.info, "key:read", "One key"),
        ("POST", "/v2/key/info", handlers.several, "key:read", "Several keys"),
        ("GET", "/key/list", handlers.list, "key:list", "Keys"),
        ("GET", "/key/aliases", handlers.aliases, "key:list", "Aliases of keys"),
        ("POST", "/key/health", handlers.health, "key:read", "Whether the calling key works"),
    ):
        routes.add(method, path, handler, access="key", summary=summary, action=action)
