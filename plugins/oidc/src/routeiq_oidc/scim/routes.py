"""The routes of SCIM 2.0 (RFC 7644), thin: parameters and bodies in, resources or SCIM's errors out.

What the operations do is in `people` and `teams`, who may call them in `access`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from routeiq_oidc.scim.access import ScimAccess
from routeiq_oidc.scim.errors import ScimError, answer, answer_error, invalid, missing
from routeiq_oidc.scim.paths import parse_filter
from routeiq_oidc.scim.schemas import SCHEMAS, TYPES, service_provider_config
from routeiq_sdk import StoreUnavailable
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

log = logging.getLogger(__name__)

ACTION = "scim:manage"
ROOT = "/scim/v2"
_LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
_QUERY = frozenset({"filter", "startindex", "count", "attributes", "excludedattributes"})
_ALWAYS = frozenset({"schemas", "id", "meta"})

Work = Callable[[HttpRequest], Awaitable[HttpResponse]]


class Kept(Protocol):
    """What `people` and `teams` do alike."""

    async def find(self, where: tuple[str, str] | None, start: int, count: int) -> tuple[list[dict[str, Any]], int]: ...
    async def get(self, id: str) -> dict[str, Any]: ...
    async def create(self, body: Mapping[str, Any]) -> dict[str, Any]: ...
    async def replace(self, id: str, body: Mapping[str, Any]) -> dict[str, Any]: ...
    async def patch(self, id: str, body: Any) -> dict[str, Any]: ...
    async def delete(self, id: str) -> None: ...


def register(
    routes: Routes, access: ScimAccess, most: int, users: Callable[[], Kept], groups: Callable[[], Kept]
) -> None:
    """All routes. `users` and `groups` are asked for when the first request comes."""

    def add(method: str, path: str, work: Work, summary: str) -> None:
        routes.add(method, ROOT + path, _guarded(work, access), access="admin", summary=summary, action=ACTION)

    add("GET", "/ServiceProviderConfig", _constant(service_provider_config(most)), "What SCIM can do here")
    for path, documents in (("ResourceTypes", TYPES), ("Schemas", SCHEMAS)):
        add("GET", f"/{path}", _constant(_list(list(documents.values()), len(documents), 1)), f"SCIM {path}")
        add("GET", f"/{path}/{{id}}", _document(path, documents), f"One of SCIM's {path}")
    for path, kept in (("Users", users), ("Groups", groups)):
        resources = _Resources(path, kept, most)
        add("GET", f"/{path}", resources.find, f"List {path.lower()}")
        add("POST", f"/{path}", resources.create, f"Create one of the {path.lower()}")
        add("POST", f"/{path}/.search", resources.search, f"List {path.lower()}, asked in the body")
        add("GET", f"/{path}/{{id}}", resources.get, f"Read one of the {path.lower()}")
        add("PUT", f"/{path}/{{id}}", resources.replace, f"Replace one of the {path.lower()}")
        add("PATCH", f"/{path}/{{id}}", resources.patch, f"Change one of the {path.lower()}")
        add("DELETE", f"/{path}/{{id}}", resources.delete, f"Delete one of the {path.lower()}")
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        add(method, "/{path:path}", _nothing, "What is not there, told as SCIM does")


class _Resources:
    def __init__(self, path: str, kept: Callable[[], Kept], most: int) -> None:
        self._path = path
        self._kept = kept
        self._most = most

    async def find(self, request: HttpRequest) -> HttpResponse:
        return await self._listed({name.lower(): value for name, value in request.query.items()})

    async def search(self, request: HttpRequest) -> HttpResponse:
        told = {str(name).lower(): value for name, value in _object(request).items()}
        return await self._listed({name: _worded(value) for name, value in told.items() if name in _QUERY})

    async def _listed(self, query: Mapping[str, str]) -> HttpResponse:
        start = max(1, _number(query, "startindex", 1))
        count = min(self._most, max(0, _number(query, "count", self._most)))
        where = parse_filter(query["filter"]) if query.get("filter") else None
        found, total = await self._kept().find(where, start, count)
        return answer(_list([_projected(each, query) for each in found], total, start))

    async def get(self, request: HttpRequest) -> HttpResponse:
        query = {name.lower(): value for name, value in request.query.items()}
        return answer(_projected(await self._kept().get(request.path_params["id"]), query))

    async def create(self, request: HttpRequest) -> HttpResponse:
        created = await self._kept().create(_object(request))
        return answer(created, 201, {"location": created["meta"]["location"]})

    async def replace(self, request: HttpRequest) -> HttpResponse:
        return answer(await self._kept().replace(request.path_params["id"], _object(request)))

    async def patch(self, request: HttpRequest) -> HttpResponse:
        return answer(await self._kept().patch(request.path_params["id"], _object(request)))

    async def delete(self, request: HttpRequest) -> HttpResponse:
        await self._kept().delete(request.path_params["id"])
        return HttpResponse(204)


def _guarded(work: Work, access: ScimAccess) -> Work:
    async def handle(request: HttpRequest) -> HttpResponse:
        try:
            access.check(request.principal)
            return await work(request)
        except ScimError as error:
            return answer_error(error, {"retry-after": "1"} if error.status == 503 else None)
        except StoreUnavailable:
            return answer_error(ScimError(503, "the directory cannot be reached, try again"), {"retry-after": "1"})

    return handle


async def _nothing(request: HttpRequest) -> HttpResponse:
    raise missing("endpoint", request.path_params["path"])


def _constant(document: Mapping[str, Any]) -> Work:
    async def handle(request: HttpRequest) -> HttpResponse:
        return answer(document)

    return handle


def _document(what: str, documents: Mapping[str, Mapping[str, Any]]) -> Work:
    async def handle(request: HttpRequest) -> HttpResponse:
        id = request.path_params["id"]
        if id not in documents:
            raise missing(what.removesuffix("s"), id)
        return answer(documents[id])

    return handle


def _list(resources: list[dict[str, Any]], total: int, start: int) -> dict[str, Any]:
    return {
        "schemas": [_LIST],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": len(resources),
        "Resources": resources,
    }


def _object(request: HttpRequest) -> Mapping[str, Any]:
    try:
        value = json.loads(request.body)
    except (ValueError, RecursionError):
        raise invalid("the body is no JSON", "invalidSyntax") from None
    if not isinstance(value, dict):
        raise invalid("the body is an object", "invalidSyntax")
    return value


def _worded(value: Any) -> str:
    """A member of a search request as a query would say it."""
    return ",".join(str(each) for each in value) if isinstance(value, list) else str(value)


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    try:
        return max(-1, min(int(text), 2**31))
    except ValueError:
        raise invalid(f"{name} is a whole number") from None


def _projected(resource: dict[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
    """What `attributes` asks for, or all but `excludedAttributes`; both name whole attributes here."""
    wanted, unwanted = _names(query.get("attributes")), _names(query.get("excludedattributes"))
    if wanted:
        return {key: value for key, value in resource.items() if key in _ALWAYS or key.lower() in wanted}
    return {key: value for key, value in resource.items() if key in _ALWAYS or key.lower() not in unwanted}


def _names(text: str | None) -> frozenset[str]:
    names = (name.strip().lower() for name in (text or "").split(","))
    return frozenset(name if name.startswith("urn:") else name.partition(".")[0] for name in names if name)
