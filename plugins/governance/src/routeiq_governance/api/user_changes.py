"""Changes of users: one, several, or all alike.

Users are made and deleted in `users`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from routeiq_governance.api.budget_rows import may_name
from routeiq_governance.api.changing import Change, changing
from routeiq_governance.api.fields import (
    TRAVELLING,
    Check,
    checked,
    document,
    email,
    flag,
    identifier,
    missing,
    one_of,
    sequence,
    text,
    texts,
)
from routeiq_governance.api.joining import by_email, existing
from routeiq_governance.api.patching import COMMON, patched, understood
from routeiq_governance.api.shapes import answer, body_of, nano, wrong
from routeiq_governance.api.spending import correct
from routeiq_governance.api.user_rows import KEPT, user_rows
from routeiq_governance.identity.caller import Caller
from routeiq_governance.store.entities import User, users
from routeiq_sdk import RequestError
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

ROLES = ("proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer")
_MOST = 500


def _no_password(name: str, value: Any) -> Any:
    raise wrong(name, "users sign in through an identity provider; a password cannot be set")


FIELDS: Mapping[str, Check] = {
    **TRAVELLING,
    **COMMON,
    "user_id": identifier,
    "user_email": email,
    "user_alias": text,
    "user_role": one_of(ROLES),
    "sso_user_id": identifier,
    "spend": nano,
    "password": _no_password,
    "allowed_cache_controls": texts,
    "budget_fallbacks": document,
    "config": document,
    "permissions": document,
    "aliases": document,
}


class UserChanges:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def update(self, request: HttpRequest) -> HttpResponse:
        """Change a user that is named by id or by e-mail."""
        caller = await self._parts.identity.caller_of(request)
        row = await self._update_one(caller, body_of(request))
        return answer({"user_id": row["user_id"], "data": row})

    async def _update_one(self, caller: Caller, body: Mapping[str, Any]) -> dict[str, Any]:
        parts = self._parts
        fields = understood(body, FIELDS)
        id, address = fields.pop("user_id", None), fields.get("user_email")
        if id is None and address is None:
            raise wrong("user_id", "name a user_id or a user_email")
        async with changing(parts, caller) as change:
            found = await users.get(change.connection, id) if id is not None else await existing(change, None, address)
            if found is None:
                raise missing("user", id or address or "", "user_id")
            told = [name for name in fields if id is not None or name != "user_email"]
            try:
                await parts.access.check_fields(caller, "user", told, "user", found.id, within=change.connection)
            except RequestError as error:
                if error.status != 404:
                    raise
                # Another tenant's user must not be told apart from none, nor its id from its address.
                raise missing("user", id or address or "", "user_id") from None
            user = await change.held(users, found.id)
            if user is None:
                raise missing("user", found.id, "user_id")
            user = await self._changed(change, caller, user, fields)
        if fields.get("spend") is not None:
            user = await correct(parts, caller, "user", users, user, fields["spend"])
        return (await user_rows(parts, [user]))[0]

    async def _changed(self, change: Change, caller: Caller, user: User, fields: Mapping[str, Any]) -> User:
        access, connection = self._parts.access, change.connection
        address = fields.get("user_email")
        if address is not None and address.lower() != (user.email or "").lower():
            other = await by_email(change, address)
            if other is not None and other.id != user.id:
                raise wrong("user_email", f"a user with {address!r} already exists")
        await may_name(self._parts, caller, connection, fields)
        before, user = user, patched_user(user, fields, change)
        if user.role is not None and user.role != before.role:
            await access.check_grant(caller, role=user.role, scope="user", id=user.id, within=connection)
        await access.check_grant(
            caller,
            models=user.models if user.models != before.models else None,
            limits=user.limits if user.limits != before.limits else None,
            within=connection,
        )
        await users.save(connection, user)
        change.touch("users", user.id)
        if fields.get("blocked"):  # also of one who was blocked before: saying it again mends an event that was lost
            change.shut_out.append(("blocked", user.id))
        return user

    async def bulk_update(self, request: HttpRequest) -> HttpResponse:
        """Change several users, each by itself; or all of them alike."""
        caller = await self._parts.identity.caller_of(request)
        checks = {"users": sequence, "all_users": flag, "user_updates": document}
        fields = checked(body_of(request), checks)
        if fields.get("all_users"):
            told = await self._everybody(caller, fields.get("user_updates") or {})
        else:
            told = fields.get("users") or []
        if not 1 <= len(told) <= _MOST:
            raise wrong("users", f"expected 1 to {_MOST}")
        results = [await self._result(caller, each) for each in told]
        changed = sum(result["success"] for result in results)
        return answer(
            {
                "results": results,
                "total_requested": len(results),
                "successful_updates": changed,
                "failed_updates": len(results) - changed,
            }
        )

    async def _everybody(self, caller: Caller, updates: Mapping[str, Any]) -> list[dict[str, Any]]:
        if "user_id" in updates or "user_email" in updates:
            raise wrong("user_updates", "names one user, and all_users asks for all")
        await self._parts.access.check_fields(caller, "user", updates, "global")
        async with self._parts.database.read() as connection:
            found = await users.find(connection, most=_MOST + 1)
        if len(found) > _MOST:
            raise wrong("all_users", f"there are more than {_MOST} users; name them")
        return [{**updates, "user_id": user.id} for user in found]

    async def _result(self, caller: Caller, told: Any) -> dict[str, Any]:
        body = told if isinstance(told, dict) else {}
        result = {"user_id": body.get("user_id"), "user_email": body.get("user_email")}
        try:
            row = await self._update_one(caller, document("users", told))
        except RequestError as error:
            if error.status >= 500:
                raise
            return {**result, "success": False, "error": error.message, "updated_user": None}
        return {**result, "user_id": row["user_id"], "success": True, "error": None, "updated_user": row}


def patched_user(user: User, fields: Mapping[str, Any], change: Change) -> User:
    """A user after the patch."""
    user = patched(user, fields, KEPT, change.now, change.by)
    named = {"user_email": "email", "user_alias": "alias", "user_role": "role", "sso_user_id": "external_id"}
    return msgspec.structs.replace(user, **{own: fields[name] for name, own in named.items() if name in fields})


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes."""
    handlers = UserChanges(parts)
    for path, handler, summary in (
        ("/user/update", handlers.update, "Change a user"),
        ("/user/bulk_update", handlers.bulk_update, "Change several users"),
    ):
        routes.add("POST", path, handler, access="admin", summary=summary, action="user:update")
