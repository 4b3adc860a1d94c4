"""Virtual keys: made, changed, rotated, blocked, deleted.

Reading them is in `key_reading`, how one comes to be in `key_making`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from routeiq_governance.api import key_reading
from routeiq_governance.api.budget_rows import may_name
from routeiq_governance.api.changing import Change, changing
from routeiq_governance.api.fields import Check, checked, identifier, missing, sequence, text, texts
from routeiq_governance.api.key_defaults import refuse_beyond, with_defaults
from routeiq_governance.api.key_making import BOTH, NEW, changed, make_key, refuse_taken_alias, scope_of
from routeiq_governance.api.key_rows import key_row
from routeiq_governance.api.patching import understood
from routeiq_governance.api.removing import remove_keys
from routeiq_governance.api.shapes import answer, body_of, dollars, duration, later, nano, wrong
from routeiq_governance.api.spending import bound, correct
from routeiq_governance.identity import credentials
from routeiq_governance.identity.caller import Caller
from routeiq_governance.store.entities import Key, keys
from routeiq_sdk import RequestError
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_UPDATE: Mapping[str, Check] = {**BOTH, "key": text, "key_type": NEW["key_type"]}
_ROTATE: Mapping[str, Check] = {**BOTH, "key": text, "new_key": text, "grace_period": duration, "overlap": duration}
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
        async with changing(self._parts, caller) as change:
            key = await self._update(change, caller, credentials.id_of(fields.pop("key")), fields)
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
                async with changing(self._parts, caller) as change:
                    key = await self._update(change, caller, credentials.id_of(fields.pop("key")), fields)
                good.append({"key": key.id, "key_info": await key_row(self._parts, key)})
            except RequestError as refused:
                shown = credentials.id_of(name) if isinstance(name, str) else None
                bad.append({"key": shown, "failed_reason": refused.message})
        counted = {"total_requested": len(rows), "successful_updates": good, "failed_updates": bad}
        return answer(counted)

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """Delete keys by text, id or alias. What is not there is passed over, so that repeating does no harm."""
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
            for id in found:
                await self._parts.access.require(caller, "key:delete", scope="key", id=id, within=change.connection)
            await remove_keys(change, table.id.in_(list(found)))
        return answer({"deleted_keys": list(found.values())})

    async def block(self, request: HttpRequest) -> HttpResponse:
        """Refuse all requests of a key."""
        return await self._set_blocked(request, True)

    async def unblock(self, request: HttpRequest) -> HttpResponse:
        """Serve a key again."""
        return await self._set_blocked(request, False)

    async def regenerate(self, request: HttpRequest) -> HttpResponse:
        """Give a key another text. With a `grace_period` the old one works beside it until then."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        fields = understood(body_of(request), _ROTATE)
        named = request.path_params.get("key") or fields.pop("key", None) or _own(request)
        fields.pop("key", None)
        chosen = fields.pop("new_key", None)
        overlap = fields.pop("grace_period", None) or fields.pop("overlap", None)
        id = credentials.id_of(named)
        await parts.access.require(caller, "key:rotate", scope="key", id=id)
        spent = (await parts.ledger.spend("key", [id])).get(id, 0)
        async with changing(parts, caller) as change:
            await parts.access.require(caller, "key:rotate", scope="key", id=id, within=change.connection)
            old = await self._held(change, id)
            if fields:
                await parts.access.check_fields(caller, "key", fields, "key", id, within=change.connection)
            secret = chosen or credentials.make_key()
            if chosen is not None and not credentials.is_choosable(chosen):
                raise wrong("new_key", "a chosen key starts with sk- and has 16 to 512 printable characters")
            new = msgspec.structs.replace(
                changed(old, fields, change),
                id=credentials.key_id(secret),
                verifier=parts.database.sealer.verifier(secret),
                name=credentials.masked(secret),
                replaces=old.id,
                created_at=change.now,
                created_by=change.by,
            )
            if await keys.get(change.connection, new.id) is not None:
                raise wrong("new_key", "this key exists already")
            if overlap is None:
                await keys.delete(change.connection, keys.table.c.id == old.id)
            else:
                ends = later(change.now, overlap)
                until = ends if old.expires_at is None else min(ends, old.expires_at)
                await keys.save(
                    change.connection,
                    msgspec.structs.replace(old, alias=None, expires_at=until, updated_at=change.now),
                )
            carried = spent + old.spend_base
            new = msgspec.structs.replace(new, spend_base=carried)
            await keys.insert(change.connection, new)
            limits = await bound(change.connection, new)
            change.touch("keys", old.id, new.id)
        await parts.quotas.corrected("key", new.id, limits, carried)
        return answer({**await key_row(parts, new), "key": secret})

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
        scope, id = scope_of(fields.get("team_id"), fields.get("user_id"), fields.get("organization_id"))
        async with changing(parts, caller) as change:
            await parts.access.require(caller, "key:create", scope=scope, id=id, within=change.connection)
            told = {name: value for name, value in understood(body, NEW).items() if name not in _PLACES}
            await parts.access.check_fields(caller, "key", told, scope, id, within=change.connection)
            key, secret = await make_key(parts, change, caller, fields, service_account=service_account)
        return answer({**await key_row(parts, key), "key": secret})

    async def _update(self, change: Change, caller: Caller, id: str, fields: Mapping[str, Any]) -> Key:
        parts = self._parts
        await parts.access.check_fields(caller, "key", fields, "key", id, within=change.connection)
        before = await self._held(change, id)
        await refuse_taken_alias(change, fields.get("key_alias"), id)
        await may_name(parts, caller, change.connection, fields)
        key = changed(before, fields, change)
        moved = (key.user_id, key.team_id) != (before.user_id, before.team_id)
        if moved:
            scope, place = scope_of(key.team_id, key.user_id, key.organization_id)
            await parts.access.require(caller, "key:create", scope=scope, id=place, within=change.connection)
        await parts.access.check_grant(
            caller,
            user=key.user_id if moved else None,
            team=key.team_id if moved else None,
            models=key.models if key.models != before.models else None,
            limits=key.limits if key.limits != before.limits else None,
            allowed_routes=fields.get("allowed_routes"),
            key_type=fields.get("key_type"),
            within=change.connection,
        )
        await keys.save(change.connection, key)
        change.touch("keys", id)
        return key

    async def _set_blocked(self, request: HttpRequest, blocked: bool) -> HttpResponse:
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        id = credentials.id_of(checked(body_of(request), {"key": identifier}, required=("key",))["key"])
        async with changing(parts, caller) as change:
            await parts.access.check_fields(caller, "key", ("blocked",), "key", id, within=change.connection)
            key = changed(await self._held(change, id), {"blocked": blocked}, change)
            await keys.save(change.connection, key)
            change.touch("keys", id)
        return answer(await key_row(parts, key))

    @staticmethod
    async def _held(change: Change, id: str) -> Key:
        key = await change.held(keys, id)
        if key is None:
            raise missing("key", id, "key")
        return key


_PLACES = ("user_id", "team_id", "organization_id", "key", "key_type", "allowed_routes")


def _own(request: HttpRequest) -> str:
    if request.principal is None or not credentials.is_id(request.principal.id):
        raise wrong("key", "is required")
    return request.principal.id


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
        ("/key/regenerate", handlers.regenerate, "key:rotate", "Give a key another text"),
        ("/key/{key}/regenerate", handlers.regenerate, "key:rotate", "Give a key another text"),
        ("/key/{key}/reset_spend", handlers.reset_spend, "key:update", "Set what a key counts as having spent"),
    )
    for path, handler, action, summary in table:
        routes.add("POST", path, handler, access="admin", summary=summary, action=action)
    key_reading.register(routes, parts)
