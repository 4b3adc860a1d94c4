"""`/v1/skills` passed on to one account at Anthropic, in which each team or user sees what it created itself.

Who created what is a record in the shared store; the account's key never leaves towards a client.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from routeiq_sdk import Gateway, RouteIQError
from routeiq_sdk.values.http import HttpRequest, HttpResponse
from routeiq_skills.config import PassthroughSettings
from routeiq_skills.store.limits import MIB
from routeiq_skills.uploads.home import Refused, nothing, tenant_of

_OWNERS: Final = "skills.owners"
_PART = re.compile(r"[A-Za-z0-9_-]{1,128}")
_ASKED = ("content-type", "anthropic-version", "anthropic-beta", "accept")
_ANSWERED = ("content-disposition", "request-id", "retry-after")
_VERSION = "2023-06-01"
_MOST_PAGES = 50
_SHARED = ("anthropic", "anthropic_example")


class Passing:
    """The home of uploaded skills at Anthropic."""

    def __init__(self, settings: PassthroughSettings, gateway: Gateway) -> None:
        self._settings = settings
        self._gateway = gateway

    async def create(self, request: HttpRequest) -> HttpResponse:
        """A new skill, which is the caller's from then on."""
        tenant = tenant_of(request.principal)
        response = await self._ask(request, "/v1/skills")
        told = _json(response)
        id = told.get("id")
        if response.status < 300 and isinstance(id, str):
            await self._gateway.state.put(_OWNERS, id, tenant.encode())
        return response

    async def list_skills(self, request: HttpRequest) -> HttpResponse:
        """The caller's skills on a page of the account's, and Anthropic's own."""
        tenant = tenant_of(request.principal)
        response = await self._ask(request, "/v1/skills", request.query)
        for _ in range(_MOST_PAGES):
            told = _json(response)
            if response.status != 200 or not isinstance(told.get("data"), list):
                return response
            mine = [skill for skill in told["data"] if await self._sees(request, tenant, skill)]
            following = told.get("next_page")
            if mine or not isinstance(following, str) or not following:
                return HttpResponse.json({**told, "data": mine})
            response = await self._ask(request, "/v1/skills", {**request.query, "page": following})
        return response

    async def get(self, request: HttpRequest) -> HttpResponse:
        """One skill."""
        return await self._of_skill(request)

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """Delete a skill."""
        response = await self._of_skill(request, change=True)
        if response.status < 300:
            await self._gateway.state.delete(_OWNERS, request.path_params["skill_id"])
        return response

    async def create_version(self, request: HttpRequest) -> HttpResponse:
        """A new version of a skill."""
        return await self._of_skill(request, "/versions", change=True)

    async def list_versions(self, request: HttpRequest) -> HttpResponse:
        """A page of a skill's versions."""
        return await self._of_skill(request, "/versions")

    async def get_version(self, request: HttpRequest) -> HttpResponse:
        """One version."""
        return await self._of_skill(request, f"/versions/{_part(request, 'version')}")

    async def delete_version(self, request: HttpRequest) -> HttpResponse:
        """Delete a version."""
        return await self._of_skill(request, f"/versions/{_part(request, 'version')}", change=True)

    async def content(self, request: HttpRequest) -> HttpResponse:
        """A version's files as one archive."""
        return await self._of_skill(request, f"/versions/{_part(request, 'version')}/content")

    async def _of_skill(self, request: HttpRequest, below: str = "", *, change: bool = False) -> HttpResponse:
        id = _part(request, "skill_id")
        owner = await self._gateway.state.get(_OWNERS, id)
        admin = request.principal is not None and request.principal.is_admin
        mine = owner is not None and owner.decode() == tenant_of(request.principal)
        shared = owner is None and not id.startswith("skill_") and not change  # those of Anthropic have plain names
        if not (mine or admin or shared):
            raise nothing("skill")
        return await self._ask(request, f"/v1/skills/{id}{below}", request.query)

    async def _sees(self, request: HttpRequest, tenant: str, skill: Any) -> bool:
        if not isinstance(skill, Mapping) or not isinstance(skill.get("id"), str):
            return False
        if request.principal is not None and request.principal.is_admin:
            return True
        source = skill.get("source")
        if (source.get("type") if isinstance(source, Mapping) else source) in _SHARED:
            return True
        owner = await self._gateway.state.get(_OWNERS, skill["id"])
        return owner is not None and owner.decode() == tenant

    async def _ask(self, request: HttpRequest, path: str, query: Mapping[str, str] | None = None) -> HttpResponse:
        asked = {name: request.headers.get(name) for name in _ASKED}
        headers = {name: value for name, value in asked.items() if value is not None}
        headers.setdefault("anthropic-version", _VERSION)
        headers["x-api-key"] = self._settings.api_key.reveal()
        url = self._settings.api_base + path + (f"?{urlencode(query)}" if query else "")
        try:
            async with self._gateway.egress.call(
                request.method,
                url,
                headers=headers,
                body=request.body or None,
                timeout_seconds=self._settings.timeout_seconds,
                max_bytes=32 * MIB,
            ) as answer:
                status, data, told = answer.status, await answer.read(), answer.headers
        except (RouteIQError, TimeoutError, OSError):
            raise Refused(502, "api_error", "The service that keeps the skills cannot be reached.") from None
        if status in (401, 403):
            raise Refused(502, "api_error", "The service that keeps the skills refused this gateway's key.")
        if 300 <= status < 400:
            raise Refused(502, "api_error", "The service that keeps the skills answered with a redirect.")
        kept = {name: told[name] for name in _ANSWERED if name in told}
        kept["x-content-type-options"] = "nosniff"
        kind = told.get("content-type", "application/json").partition(";")[0].strip()
        if kind not in ("application/json", "application/zip", "application/octet-stream"):
            kind = "application/octet-stream"
        return HttpResponse(status, data, kept, kind)


def _part(request: HttpRequest, name: str) -> str:
    told = request.path_params[name]
    if not _PART.fullmatch(told):
        raise nothing(name.partition("_")[0])
    return told


def _json(response: HttpResponse) -> dict[str, Any]:
    try:
        told = orjson.loads(response.body) if isinstance(response.body, bytes) else {}
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}
