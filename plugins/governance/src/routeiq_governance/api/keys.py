"""Virtual keys: made, changed, blocked, deleted.

Reading them is in `key_reading`, rotation in `key_rotating`, how one comes to be in `key_making`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from routeiq_governance.api import key_reading, key_rotating
from routeiq_governance.api.changing import changing
from routeiq_governance.api.fields import Check, checked, identifier, missing, sequence, text, texts
from routeiq_governance.api.key_defaults import refuse_beyond, with_defaults
from routeiq_governance.api.key_making import BOTH, NEW, changed, held_key, make_key, repatched
from routeiq_governance.api.key_places import refuse_by_rules, scope_of_new
from routeiq_governance.api.key_rotating import rotated_to
from routeiq_governance.api.key_rows import key_row
from routeiq_governance.api.patching import understood
from routeiq_governance.api.removing import remove_keys
from routeiq_governance.api.shapes import answer, body_of, dollars, nano, wrong
from routeiq_governance.api.spending import correct
from routeiq_governance.identity import credentials
from routeiq_governance.identity.caller import Caller
from routeiq_governance.store.entities import Key, keys
from routeiq_sdk import RequestError
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_UPDATE: Mapping[str, Check] = {**BOTH, "key": text, "key_type": NEW["key_type"]}
_MOST_AT_ONCE = 500


class Keys:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def generate(self, request: HttpRequest) -> HttpResponse:
        """Make a key."""
        return await self._make(request, service_account=False)

    async def service_account(self, request: HttpRequest) -> HttpResponse:
        """Make a key of a team that belongs to no user."""
        return await self._make(request, service_account=True)

    async def update(self, request: HttpRequest) -> HttpResponse:
        """Change a key."""
        caller = await self._parts.identity.caller_of(request)
        body = body_of(request)
        fields = understood(body, _UPDATE, required=("key",))
        refuse_beyond(self._parts.config, body)
        key = await self._update(caller, credentials.id_of(fields.pop("key")), fields)
        return answer({"key": key.id, **await key_row(self._parts, key)})

    async def bulk_update(self, request: HttpRequest) -> HttpResponse:
        """Change several keys, each on its own."""
        caller = await self._parts.identity.caller_of(request)
        rows = checked(body_of(request), {"keys": sequence}, required=("keys",))["keys"]
        if len(rows) > _MOST_AT_ONCE:
            raise wrong("keys", f"at most {_MOST_AT_ONCE} at once")
        good: list[dict[str, Any]] = []
        bad: list[dict[str, Any]] = []
        for row in rows:
            name = row.get("key") if isinstance(row, dict) else None
            try:
                if not isinstance(row, dict):
                    raise wrong("keys", "expected objects")
                fields = understood(row, _UPDATE, required=("key",))
                refuse_beyond(self._parts.config, row)
                key = await self._update(caller, credentials.id_of(fields.pop("key")), fields)
                good.append({"key": key.id, "key_info": await key_row(self._parts, key)})
            except RequestError as refused:
                shown = credentials.id_of(name) if isinstance(name, str) else None
                bad.append({"key": shown, "failed_reason": refused.message})
        counted = {"total_requested": len(rows), "successful_updates": good, "failed_updates": bad}
        return answer(counted)

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """Delete keys by text, id or alias. What is not there is passed over, so that repeating does no harm; a key of
        another tenant is not there."""
        caller = await self._parts.identity.caller_of(request)
        fields = checked(body_of(request), {"keys": texts, "key_aliases": texts})
        if not fields.get("keys") and not fields.get("key_aliases"):
            raise wrong("keys", "name keys or key_aliases")
        table = keys.table.c
        async with changing(self._parts, caller) as change:
            found: dict[str, str] = {}
            for name in fields.get("keys") or ():
                key = await keys.get(change.connection, credentials.id_of(name))
                if key is not None:
                    found[key.id] = key.id
            for alias in fields.get("key_aliases") or ():
                for key in await keys.find(change.connection, table.alias == alias):
                    found[key.id] = alias
            for id in list(found):
                try:
                    await self._parts.access.require(caller, "key:delete", scope="key", id=id, within=change.connection)
                except RequestError as error:
                    if error.status != 404:
                        raise
                    del found[id]
            await remove_keys(change, table.id.in_([*found, *await rotated_to(change, found)]))
        return answer({"deleted_keys": list(found.values())})

    async def block(self, request: HttpRequest) -> HttpResponse:
        """Refuse all requests of a key."""
        return await self._set_blocked(request, True)

    async def unblock(self, request: HttpRequest) -> HttpResponse:
        """Serve a key again."""
        return await self._set_blocked(request, False)

    async def reset_spend(self, request: HttpRequest) -> HttpResponse:
        """Set what a key counts as having spent; the ledger keeps its rows."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        id = credentials.id_of(request.path_params["key"])
        target = checked(body_of(request), {"reset_to": nano}).get("reset_to") or 0
        await parts.access.check_fields(caller, "key", ("spend",), "key", id)
        async with parts.database.read() as connection:
            key = await keys.get(connection, id)
        if key is None:
            raise missing("key", id, "key")
        before = (await key_row(parts, key))["spend"]
        if dollars(target) > before:
            raise wrong("reset_to", "is above what was spent")
        key = await correct(parts, caller, "key", keys, key, target)
        return answer({"key_hash": id, "spend": (await key_row(parts, key))["spend"], "previous_spend": before})

    async def _make(self, request: HttpRequest, *, service_account: bool) -> HttpResponse:
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        body = body_of(request)
        fields = understood(with_defaults(parts.config, body), NEW)
        refuse_beyond(parts.config, body)
        if service_account:
            if fields.get("team_id") is None:
                raise wrong("team_id", "a service account belongs to a team")
            fields.pop("user_id", None)
        elif fields.get("user_id") is None and caller.user is not None and not caller.is_admin:
            fields["user_id"] = caller.user
        team, user, organization = fields.get("team_id"), fields.get("user_id"), fields.get("organization_id")
        async with changing(parts, caller) as change:
            scope, id = await scope_of_new(change.connection, caller, team, user, organization)
            await parts.access.require(caller, "key:create", scope=scope, id=id, within=change.connection)
            await refuse_by_rules(parts, change.connection, caller, team, body)
            told = {name: value for name, value in understood(body, NEW).items() if name not in _PLACES}
            await parts.access.check_fields(caller, "key", told, scope, id, within=change.connection)
            key, secret = await make_key(parts, change, caller, fields, service_account=service_account)
        return answer({**await key_row(parts, key), "key": secret})

    async def _update(self, caller: Caller, id: str, fields: Mapping[str, Any]) -> Key:
        parts = self._parts
        async with changing(parts, caller) as change:
            await parts.access.check_fields(caller, "key", fields, "key", id, within=change.connection)
            before = await held_key(change, id)
            key = await repatched(parts, change, caller, before, fields)
            await keys.save(change.connection, key)
            change.touch("keys", id)
        if fields.get("spend") is not None:
            key = await correct(parts, caller, "key", keys, key, fields["spend"])
        return key

    async def _set_blocked(self, request: HttpRequest, blocked: bool) -> HttpResponse:
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        id = credentials.id_of(checked(body_of(request), {"key": identifier}, required=("key",))["key"])
        async with changing(parts, caller) as change:
            await parts.access.check_fields(caller, "key", ("blocked",), "key", id, within=change.connection)
            key = changed(await held_key(change, id), {"blocked": blocked}, change)
            await keys.save(change.connection, key)
            change.touch("keys", id)
        return answer(await key_row(parts, key))


_PLACES = ("user_id", "team_id", "organization_id", "key", "key_type", "allowed_routes")


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes of keys."""
    handlers = Keys(parts)
    table: Sequence[tuple[str, Any, str, str]] = (
        ("/key/generate", handlers.generate, "key:create", "Make a key"),
        ("/key/service-account/generate", handlers.service_account, "key:create", "Make a key of a service account"),
        ("/key/update", handlers.update, "key:update", "Change a key"),
        ("/key/bulk_update", handlers.bulk_update, "key:update", "Change several keys"),
        ("/key/delete", handlers.delete, "key:delete", "Delete keys"),
        ("/key/block", handlers.block, "key:update", "Refuse all requests of a key"),
        ("/key/unblock", handlers.unblock, "key:update", "Serve a key again"),
        ("/key/{key}/reset_spend", handlers.reset_spend, "key:update", "Set what a key counts as having spent"),
    )
    for path, handler, action, summary in table:
        routes.add("POST", path, handler, access="admin", summary=summary, action=action)
    key_rotating.register(routes, parts)
    key_reading.register(routes, parts)
