"""Credentials of providers, kept sealed: made, changed, deleted, and listed without what is secret.

Models name them by `litellm_credential_name`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from routeiq_governance.api.changing import Change, changing
from routeiq_governance.api.fields import Check, checked, document, identifier, missing
from routeiq_governance.api.model_rows import MASK
from routeiq_governance.api.shapes import answer, body_of, wrong
from routeiq_governance.store.tables import credentials, models
from routeiq_sdk import ConfigError, RequestError
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_FIELDS: Mapping[str, Check] = {
    "credential_name": identifier,
    "credential_values": document,
    "credential_info": document,
    "model_id": identifier,
}


class Credentials:
    """The handlers. Credentials belong to no tenant: whoever runs the gateway keeps them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def new(self, request: HttpRequest) -> HttpResponse:
        """Keep a credential: its values, or those of an added model (`model_id`)."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        await parts.access.require(caller, "credential:create", scope="global")
        fields = checked(body_of(request), _FIELDS, required=("credential_name",))
        name = fields["credential_name"]
        async with changing(parts, caller) as change:
            if await self._row(change, name) is not None:
                raise wrong("credential_name", f"credential {name!r} already exists")
            values = fields.get("credential_values") or await self._of_model(change, fields.get("model_id"))
            row = {
                "id": name,
                "sealed": self._sealed(name, values),
                "info": fields.get("credential_info") or {},
                "created_at": change.now,
                "updated_at": change.now,
                "created_by": change.by,
                "updated_by": change.by,
            }
            await change.connection.execute(insert(credentials).values(row))
            change.touch("credentials", name)
        return answer({"success": True, "message": "Credential created successfully"})

    async def list(self, request: HttpRequest) -> HttpResponse:
        """All credentials, values masked."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        await parts.access.require(caller, "credential:list", scope="global")
        async with parts.database.read() as connection:
            rows = (await connection.execute(select(credentials).order_by(credentials.c.id))).mappings().all()
        return answer({"success": True, "credentials": [self._shown(dict(row)) for row in rows]})

    async def one(self, request: HttpRequest) -> HttpResponse:
        """One credential by name, values masked."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        await parts.access.require(caller, "credential:read", scope="global")
        async with changing(parts, caller) as change:
            return answer(self._shown(await self._held(change, request.path_params["name"])))

    async def of_model(self, request: HttpRequest) -> HttpResponse:
        """What an added model authenticates with, masked."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        await parts.access.require(caller, "credential:read", scope="global")
        async with changing(parts, caller) as change:
            values = await self._of_model(change, request.path_params["id"])
        masked = dict.fromkeys(values, MASK)
        return answer({"credential_name": "", "credential_values": masked, "credential_info": {}})

    async def change(self, request: HttpRequest) -> HttpResponse:
        """Change a credential: given values replace those of the same name, null clears."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        await parts.access.require(caller, "credential:update", scope="global")
        name = request.path_params["name"]
        fields = checked(body_of(request), _FIELDS)
        if fields.get("credential_name") not in (None, name):
            raise wrong("credential_name", "is not the one of the path")
        async with changing(parts, caller) as change:
            row = await self._held(change, name)
            merged = {**self._values(row), **(fields.get("credential_values") or {})}
            values = {
                "sealed": self._sealed(name, {key: value for key, value in merged.items() if value is not None}),
                "info": {**row["info"], **(fields.get("credential_info") or {})},
                "updated_at": change.now,
                "updated_by": change.by,
            }
            await change.connection.execute(update(credentials).where(credentials.c.id == name).values(values))
            await self._check(change)
            change.touch("credentials", name)
        return answer({"success": True, "message": "Credential updated successfully"})

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """Delete a credential that no added model needs."""
        parts = self._parts
        caller = await parts.identity.caller_of(request)
        await parts.access.require(caller, "credential:delete", scope="global")
        name = request.path_params["name"]
        async with changing(parts, caller) as change:
            await self._held(change, name)
            await change.connection.execute(delete(credentials).where(credentials.c.id == name))
            await self._check(change)
            change.touch("credentials", name)
        return answer({"success": True, "message": "Credential deleted successfully"})

    async def _check(self, change: Change) -> None:
        try:
            self._parts.catalog.check(await self._parts.catalog.rows_in(change.connection))
        except ConfigError as error:
            raise RequestError(400, f"An added model needs this credential: {error}", code="400") from None

    async def _of_model(self, change: Change, id: str | None) -> dict[str, Any]:
        if id is None:
            raise wrong("credential_values", "is required")
        row = (await change.connection.execute(select(models).where(models.c.id == id))).mappings().first()
        if row is None:
            raise missing("model", id, "model_id")
        params = self._parts.catalog.opened(row).row["litellm_params"]
        names = ("key", "secret", "token", "base", "version", "credential", "region", "project")
        return {name: value for name, value in params.items() if any(word in name for word in names)}

    def _sealed(self, name: str, values: Mapping[str, Any]) -> bytes:
        return self._parts.database.sealer.seal(json.dumps(values).encode(), f"credentials/{name}")

    def _values(self, row: Mapping[str, Any]) -> dict[str, Any]:
        opened = self._parts.database.sealer.open(row["sealed"], f"credentials/{row['id']}")
        found: dict[str, Any] = json.loads(opened)
        return found

    def _shown(self, row: Mapping[str, Any]) -> dict[str, Any]:
        masked = dict.fromkeys(self._values(row), MASK)
        return {"credential_name": row["id"], "credential_values": masked, "credential_info": row["info"]}

    @staticmethod
    async def _row(change: Change, name: str) -> dict[str, Any] | None:
        query = select(credentials).where(credentials.c.id == name)
        found = (await change.connection.execute(query)).mappings().first()
        return dict(found) if found is not None else None

    async def _held(self, change: Change, name: str) -> dict[str, Any]:
        row = await self._row(change, name)
        if row is None:
            raise missing("credential", name, "credential_name")
        return row


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes of credentials."""
    handlers = Credentials(parts)
    for method, path, handler, action, summary in (
        ("POST", "/credentials", handlers.new, "credential:create", "Keep a credential"),
        ("GET", "/credentials", handlers.list, "credential:list", "Credentials"),
        ("GET", "/credentials/by_name/{name}", handlers.one, "credential:read", "One credential"),
        ("GET", "/credentials/by_model/{id}", handlers.of_model, "credential:read", "What a model authenticates with"),
        ("PATCH", "/credentials/{name}", handlers.change, "credential:update", "Change a credential"),
        ("DELETE", "/credentials/{name}", handlers.delete, "credential:delete", "Delete a credential"),
    ):
        routes.add(method, path, handler, access="admin", summary=summary, action=action)
