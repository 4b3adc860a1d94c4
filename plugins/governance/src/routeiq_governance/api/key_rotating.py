"""The rotation of virtual keys: another text for the same key, at once or with an overlap in which both work.

While they overlap, both texts stand for the new key: its limits, its spend, its blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from routeiq_governance.api.changing import Change, changing
from routeiq_governance.api.fields import Check, missing, text
from routeiq_governance.api.key_defaults import refuse_beyond
from routeiq_governance.api.key_making import BOTH, chosen_or_made, held_key, repatched
from routeiq_governance.api.key_rows import key_row
from routeiq_governance.api.patching import understood
from routeiq_governance.api.shapes import answer, body_of, duration, later, wrong
from routeiq_governance.api.spending import bound, correct, spend_shown
from routeiq_governance.identity import credentials
from routeiq_governance.identity.resolve import ROTATED
from routeiq_governance.store.entities import keys
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_ROTATE: Mapping[str, Check] = {**BOTH, "key": text, "new_key": text, "grace_period": duration, "overlap": duration}


class RotateKeys:
    """The handler."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def regenerate(self, request: HttpRequest) -> HttpResponse:
        """Give a key another text. With a `grace_period` the old one works beside it until then."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        body = body_of(request)
        fields = understood(body, _ROTATE)
        refuse_beyond(parts.config, body)
        named = request.path_params.get("key") or fields.pop("key", None) or _own(request)
        fields.pop("key", None)
        chosen = fields.pop("new_key", None)
        overlap = fields.pop("grace_period", None) or fields.pop("overlap", None)
        id = credentials.id_of(named)
        await parts.access.require(caller, "key:rotate", scope="key", id=id)
        async with parts.database.read() as connection:
            known = await keys.get(connection, id)
        if known is None:
            raise missing("key", id, "key")
        spent = (await parts.ledger.spend("key", [id])).get(id, 0)
        shown = await spend_shown(parts, "key", known)
        async with changing(parts, caller) as change:
            await parts.access.require(caller, "key:rotate", scope="key", id=id, within=change.connection)
            old = await held_key(change, id)
            if ROTATED in old.settings:
                raise wrong("key", "was rotated already; rotate the key that replaced it")
            if fields:
                await parts.access.check_fields(caller, "key", fields, "key", id, within=change.connection)
            secret = chosen_or_made(parts, "new_key", chosen)
            new = await repatched(parts, change, caller, old, fields)
            new = msgspec.structs.replace(
                new,
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
                left = {**old.settings, ROTATED: new.id}
                rotated = msgspec.structs.replace(
                    old, alias=None, expires_at=until, settings=left, updated_at=change.now
                )
                await keys.save(change.connection, rotated)
            carried = spent + old.spend_base
            new = msgspec.structs.replace(new, spend_base=carried)
            await keys.insert(change.connection, new)
            limits = await bound(change.connection, new)
            change.touch("keys", old.id, new.id)
        await parts.quotas.corrected("key", new.id, limits, shown)
        if fields.get("spend") is not None:
            new = await correct(parts, caller, "key", keys, new, fields["spend"])
        return answer({**await key_row(parts, new), "key": secret})


async def rotated_to(change: Change, ids: Iterable[str]) -> list[str]:
    """The keys that were rotated to these and still work."""
    found: list[str] = []
    wanted = list(ids)
    while wanted:
        here = await keys.many(change.connection, wanted)
        older = [key.replaces for key in here.values() if key.replaces is not None and key.replaces not in found]
        wanted = list(await keys.many(change.connection, older))
        found += wanted
    return found


def _own(request: HttpRequest) -> str:
    if request.principal is None or not credentials.is_id(request.principal.id):
        raise wrong("key", "is required")
    return request.principal.id


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes."""
    handler = RotateKeys(parts).regenerate
    for path in ("/key/regenerate", "/key/{key}/regenerate"):
        routes.add("POST", path, handler, access="admin", summary="Give a key another text", action="key:rotate")
