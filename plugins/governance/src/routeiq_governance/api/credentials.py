"""Named credentials that added models share: sealed at rest, never shown again.

Rows of the YAML take theirs from `credential_list` there.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import msgspec

from routeiq_governance.api.changing import Change, changing
from routeiq_governance.api.fields import Check, checked, document, identifier, missing, texts
from routeiq_governance.api.shapes import answer, body_of, wrong
from routeiq_governance.catalog.checking import secrets_of
from routeiq_governance.catalog.masking import shown_params, unmasked
from routeiq_governance.catalog.stored import Credential
from routeiq_governance.identity.caller import Caller
from routeiq_governance.store.secrets import Unsealable
from routeiq_sdk import RequestError
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_BOTH: Mapping[str, Check] = {
    "credential_name": identifier,
    "credential_values": document,
    "credential_info": document,
    "model_id": identifier,
}
_PATCH: Mapping[str, Check] = {**_BOTH, "credential_values_to_delete": texts}
_OF_A_MODEL = ("api_key", "api_base", "api_version", "organization")
_MORE_OF_A_MODEL = ("aws_*", "azure_*", "vertex_*", "watsonx_*", "*_token", "*_secret", "*_key")


class Credentials:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def new(self, request: HttpRequest) -> HttpResponse:
        """Add a credential, with values of its own or those of a model."""
        caller = await self._caller(request, "credential:create")
        fields = checked(body_of(request), _BOTH, required=("credential_name",))
        name = fields["credential_name"]
        async with changing(self._parts, caller) as change:
            if await self._found(change, name) is not None:
                message = f"Credential {name!r} exists: change it with PATCH /credentials/{name}."
                raise RequestError(409, message, type="conflict", param="credential_name", code="409")
            values = fields.get("credential_values")
            if fields.get("model_id") is not None:
                values = await self._of_model(change, fields["model_id"])
            if not values:
                raise wrong("credential_values", "is required")
            credential = Credential(
                name=name,
                values=secrets_of(values),
                info=fields.get("credential_info") or {},
                created_at=change.now,
                updated_at=change.now,
                created_by=change.by,
                updated_by=change.by,
            )
            await self._parts.catalog.credentials.insert(change.connection, credential)
        return answer({"success": True, "message": "Credential created successfully"})

    async def list(self, request: HttpRequest) -> HttpResponse:
        """All credentials, values masked."""
        await self._caller(request, "credential:list")
        async with self._parts.database.read() as connection:
            found = await self._parts.catalog.credentials.all(connection)
        return answer({"success": True, "credentials": [_shown(credential) for credential in found]})

    async def by_name(self, request: HttpRequest) -> HttpResponse:
        """One credential, values masked."""
        caller = await self._caller(request, "credential:read")
        async with changing(self._parts, caller) as change:
            return answer(_shown(await self._held(change, request.path_params["credential_name"])))

    async def by_model(self, request: HttpRequest) -> HttpResponse:
        """What a model authenticates with, values masked."""
        caller = await self._caller(request, "credential:read")
        id = request.path_params["model_id"]
        async with changing(self._parts, caller) as change:
            values = await self._of_model(change, id)
        return answer({"credential_name": f"model {id}", "credential_values": shown_params(values)})

    async def patch(self, request: HttpRequest) -> HttpResponse:
        """Change a credential: absent values stay, null or `credential_values_to_delete` takes them away."""
        parts = self._parts
        caller = await self._caller(request, "credential:update")
        name = request.path_params["credential_name"]
        fields = checked(body_of(request), _PATCH)
        if fields.get("credential_name") not in (None, name):
            raise wrong("credential_name", "stays as it is: delete the credential and add it anew")
        gone = set(fields.get("credential_values_to_delete") or ())
        told = fields.get("credential_values") or {}
        if gone.intersection(told):
            raise wrong("credential_values_to_delete", f"overlaps credential_values: {sorted(gone.intersection(told))}")
        async with parts.catalog.serving(), changing(parts, caller) as change:
            before = await self._held(change, name)
            merged = {**before.values, **unmasked(told, before.values)}
            values = secrets_of({key: value for key, value in merged.items() if key not in gone})
            credential = msgspec.structs.replace(
                before,
                values=values,
                info={**before.info, **(fields.get("credential_info") or {})},
                updated_at=change.now,
                updated_by=change.by,
            )
            await parts.catalog.credentials.save(change.connection, credential)
            await parts.catalog.check(change.connection)
            change.touch("credentials", name)
        return answer({"success": True, "message": "Credential updated successfully"})

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """Delete a credential that no model uses."""
        parts = self._parts
        caller = await self._caller(request, "credential:delete")
        name = request.path_params["credential_name"]
        async with changing(parts, caller) as change:
            await self._held(change, name)
            users = [
                model.id
                for model in await parts.catalog.models.find(change.connection)
                if model.params.get("litellm_credential_name") == name
            ]
            if users:
                message = f"Credential {name!r} is used by models: {', '.join(users[:5])}. Change or delete them first."
                raise RequestError(400, message, param="credential_name", code="400")
            await parts.catalog.credentials.delete(change.connection, name)
        return answer({"success": True, "message": "Credential deleted successfully"})

    async def _caller(self, request: HttpRequest, action: str) -> Caller:
        caller = await self._parts.identity.caller_of(request)
        await self._parts.access.require(caller, action, scope="global")
        return caller

    async def _of_model(self, change: Change, id: str) -> dict[str, Any]:
        """What an added model authenticates with. Those of the YAML stay the operator's."""
        model = await self._parts.catalog.models.get(change.connection, id)
        if model is None:
            raise missing("added model", id, "model_id")
        named = model.params.get("litellm_credential_name")
        credential = await self._found(change, named) if isinstance(named, str) else None
        params = {**(credential.values if credential is not None else {}), **model.params}
        return {
            name: value
            for name, value in params.items()
            if name in _OF_A_MODEL or any(fnmatchcase(name, pattern) for pattern in _MORE_OF_A_MODEL)
        }

    async def _held(self, change: Change, name: str) -> Credential:
        credential = await self._found(change, name)
        if credential is None:
            raise missing("credential", name, "credential_name")
        return credential

    async def _found(self, change: Change, name: str) -> Credential | None:
        try:
            return await self._parts.catalog.credentials.get(change.connection, name)
        except Unsealable as error:
            raise RequestError(409, str(error), type="conflict", param="credential_name", code="409") from None


def _shown(credential: Credential) -> dict[str, Any]:
    return {
        "credential_name": credential.name,
        "credential_values": shown_params(credential.values),
        "credential_info": dict(credential.info),
    }


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes of credentials."""
    credentials = Credentials(parts)
    one = "/credentials/{credential_name}"
    for method, path, handler, verb, summary in (
        ("POST", "/credentials", credentials.new, "create", "Add a credential"),
        ("GET", "/credentials", credentials.list, "list", "Credentials, values masked"),
        ("GET", "/credentials/by_name/{credential_name}", credentials.by_name, "read", "One credential"),
        ("GET", "/credentials/by_model/{model_id}", credentials.by_model, "read", "The credential of a model"),
        ("PATCH", one, credentials.patch, "update", "Change a credential"),
        ("DELETE", one, credentials.delete, "delete", "Delete a credential"),
    ):
        routes.add(method, path, handler, access="admin", summary=summary, action=f"credential:{verb}")
