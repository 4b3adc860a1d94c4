"""How a key comes to be: from the checked fields of a request to a stored key, whose text is told this once.

Reading requests and shaping answers is the business of the routes' modules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from routeiq_governance.api.budget_rows import may_name
from routeiq_governance.api.changing import Change
from routeiq_governance.api.fields import (
    TRAVELLING,
    Check,
    document,
    flag,
    identifier,
    missing,
    one_of,
    text,
    texts,
)
from routeiq_governance.api.key_places import organization_of, scope_of
from routeiq_governance.api.key_rows import KEPT
from routeiq_governance.api.patching import COMMON, patched
from routeiq_governance.api.shapes import duration, later, nano, wrong
from routeiq_governance.identity import credentials
from routeiq_governance.identity.caller import Caller
from routeiq_governance.store.entities import Key, User, keys

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_THROUGHPUT = one_of(("guaranteed_throughput", "best_effort_throughput", "dynamic"))
BOTH: Mapping[str, Check] = {
    **TRAVELLING,
    **COMMON,
    "key_alias": text,
    "key_name": text,
    "duration": duration,
    "aliases": document,
    "config": document,
    "permissions": document,
    "user_id": identifier,
    "team_id": identifier,
    "organization_id": identifier,
    "project_id": identifier,
    "agent_id": identifier,
    "spend": nano,
    "allowed_routes": texts,
    "allowed_cache_controls": texts,
    "budget_fallbacks": document,
    "rpm_limit_type": _THROUGHPUT,
    "tpm_limit_type": _THROUGHPUT,
    "throttle_on_budget_exceeded": flag,
    "auto_rotate": flag,
    "rotation_interval": duration,
}
NEW: Mapping[str, Check] = {
    **BOTH,
    "key": text,
    "key_type": one_of(("llm_api", "management", "read_only", "default")),
    "send_invite_email": flag,
}


async def make_key(
    parts: Parts,
    change: Change,
    caller: Caller,
    fields: Mapping[str, Any],
    *,
    service_account: bool = False,
) -> tuple[Key, str]:
    """A new key and its text. Asks what the caller may grant; raises `RequestError`."""
    secret = chosen_or_made(parts, "key", fields.get("key"))
    id = credentials.key_id(secret)
    if await keys.get(change.connection, id) is not None:
        raise wrong("key", "this key exists already")
    await refuse_taken_alias(change, fields.get("key_alias"), id)
    team_id, user_id = fields.get("team_id"), fields.get("user_id")
    organization = await organization_of(
        parts, change.connection, caller, team_id, user_id, fields.get("organization_id")
    )
    await may_name(parts, caller, change.connection, fields)
    key = Key(
        id=id,
        verifier=parts.database.sealer.verifier(secret),
        name=fields.get("key_name") or credentials.masked(secret),
        alias=fields.get("key_alias"),
        user_id=user_id,
        team_id=team_id,
        organization_id=organization,
        service_account=service_account,
        expires_at=_expiry(fields, change.now),
        spend_base=fields.get("spend") or 0,
        created_at=change.now,
        created_by=change.by,
    )
    key = patched(key, fields, KEPT, change.now, change.by)
    await parts.access.check_grant(
        caller,
        user=user_id,
        team=key.team_id,
        models=key.models,
        limits=key.limits,
        allowed_routes=fields.get("allowed_routes"),
        key_type=fields.get("key_type"),
        within=change.connection,
    )
    await keys.insert(change.connection, key)
    change.touch("keys", id)
    return key, secret


def chosen_or_made(parts: Parts, name: str, chosen: str | None) -> str:
    """The text of a key: a caller's own choice in the field `name`, or a made one. Raises `RequestError(400)`."""
    if chosen is None:
        return credentials.make_key()
    if parts.config.disable_custom_api_keys:
        raise wrong(name, "keys may not be chosen here (disable_custom_api_keys)")
    if not credentials.is_choosable(chosen):
        raise wrong(name, "a chosen key starts with sk- and has 16 to 512 printable characters")
    return chosen


async def held_key(change: Change, id: str) -> Key:
    """A key, locked until the change is committed. Raises `RequestError(404)`."""
    key = await change.held(keys, id)
    if key is None:
        raise missing("key", id, "key")
    return key


async def repatched(parts: Parts, change: Change, caller: Caller, before: Key, fields: Mapping[str, Any]) -> Key:
    """The key with these fields, when the caller may grant what it then is."""
    await refuse_taken_alias(change, fields.get("key_alias"), before.id)
    await may_name(parts, caller, change.connection, fields)
    key = changed(before, fields, change)
    moved = (key.user_id, key.team_id) != (before.user_id, before.team_id)
    if moved or key.organization_id != before.organization_id:
        told = fields.get("organization_id")
        if told is None and key.team_id is None and "team_id" not in fields and "organization_id" not in fields:
            told = before.organization_id
        home = await organization_of(parts, change.connection, caller, key.team_id, key.user_id, told)
        key = msgspec.structs.replace(key, organization_id=home)
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
    return key


def changed(key: Key, fields: Mapping[str, Any], change: Change) -> Key:
    """The key after a merge patch."""
    key = patched(key, fields, KEPT, change.now, change.by)
    told: dict[str, Any] = {}
    for name, attribute in (
        ("key_alias", "alias"),
        ("key_name", "name"),
        ("user_id", "user_id"),
        ("team_id", "team_id"),
        ("organization_id", "organization_id"),
    ):
        if name in fields:
            told[attribute] = fields[name]
    if "duration" in fields:
        told["expires_at"] = _expiry(fields, change.now)
    return msgspec.structs.replace(key, **told)


async def refuse_taken_alias(change: Change, alias: str | None, id: str) -> None:
    """Raises `RequestError(400)` when another key has the alias."""
    if alias is None:
        return
    for key in await keys.find(change.connection, keys.table.c.alias == alias, most=2):
        if key.id != id:
            raise wrong("key_alias", f"another key has the alias {alias!r}")


async def key_for_user(
    parts: Parts, change: Change, caller: Caller, user: User, fields: Mapping[str, Any]
) -> tuple[Key, str]:
    """The key that a new user gets: of the user alone, with what the request says about keys."""
    own = {name: fields[name] for name in ("duration", "key_alias", "models", "aliases", "config") if name in fields}
    own |= {name: fields[name] for name in ("permissions", "metadata", "spend") if name in fields}
    return await make_key(parts, change, caller, {**own, "user_id": user.id, "organization_id": user.organization_id})


def _expiry(fields: Mapping[str, Any], now: int) -> int | None:
    length = fields.get("duration")
    if length is None:
        return None
    try:
        return later(now, length)
    except (ValueError, OverflowError):
        raise wrong("duration", "it would end after the year 9999") from None
