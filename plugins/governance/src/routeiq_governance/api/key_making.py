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
from routeiq_governance.api.key_rows import KEPT
from routeiq_governance.api.patching import COMMON, patched
from routeiq_governance.api.shapes import duration, later, nano, wrong
from routeiq_governance.identity import credentials
from routeiq_governance.identity.caller import Caller
from routeiq_governance.store.entities import Key, User, keys, organizations, teams

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


def scope_of(team: str | None, user: str | None, organization: str | None) -> tuple[str, str | None]:
    """In whose scope a key lies."""
    if team is not None:
        return ("member", f"{team}/{user}") if user is not None else ("team", team)
    if user is not None:
        return "user", user
    return ("organization", organization) if organization is not None else ("global", None)


async def make_key(
    parts: Parts,
    change: Change,
    caller: Caller,
    fields: Mapping[str, Any],
    *,
    service_account: bool = False,
    replaces: str | None = None,
) -> tuple[Key, str]:
    """A new key and its text. Asks what the caller may grant; raises `RequestError`."""
    chosen = fields.get("key")
    if chosen is not None:
        if parts.config.disable_custom_api_keys:
            raise wrong("key", "keys may not be chosen here (disable_custom_api_keys)")
        if not credentials.is_choosable(chosen):
            raise wrong("key", "a chosen key starts with sk- and has 16 to 512 printable characters")
    secret = chosen or credentials.make_key()
    id = credentials.key_id(secret)
    if await keys.get(change.connection, id) is not None:
        raise wrong("key", "this key exists already")
    await refuse_taken_alias(change, fields.get("key_alias"), id)
    team_id, organization = fields.get("team_id"), fields.get("organization_id")
    if team_id is not None:
        team = await teams.get(change.connection, team_id)
        if team is None:
            raise missing("team", team_id, "team_id")
        organization = organization or team.organization_id
    elif organization is not None and await organizations.get(change.connection, organization) is None:
        raise missing("organization", organization, "organization_id")
    await may_name(parts, caller, change.connection, fields)
    key = Key(
        id=id,
        verifier=parts.database.sealer.verifier(secret),
        name=fields.get("key_name") or credentials.masked(secret),
        alias=fields.get("key_alias"),
        user_id=fields.get("user_id"),
        team_id=team_id,
        organization_id=organization,
        service_account=service_account,
        expires_at=_expiry(fields, change.now),
        replaces=replaces,
        spend_base=fields.get("spend") or 0,
        created_at=change.now,
        created_by=change.by,
    )
    key = patched(key, fields, KEPT, change.now, change.by)
    await parts.access.check_grant(
        caller,
        user=key.user_id,
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
    if "spend" in fields:
        told["spend_base"] = fields["spend"] or 0
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
