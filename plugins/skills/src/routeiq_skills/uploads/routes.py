"""The routes of `/v1/skills`; errors in Anthropic's shape.

What a route does is its home's business.
"""

from __future__ import annotations

from collections.abc import Callable

from routeiq_sdk import RequestError
from routeiq_sdk.values.http import Handler, HttpRequest, HttpResponse, Routes
from routeiq_skills.store.limits import BadSkill
from routeiq_skills.uploads.home import Home, Refused

_SKILLS = "/v1/skills"
_SKILL = f"{_SKILLS}/{{skill_id}}"
_VERSIONS = f"{_SKILL}/versions"
_VERSION = f"{_VERSIONS}/{{version}}"
_ROUTES = (
    ("POST", _SKILLS, "create", "skill:create", "Upload a skill"),
    ("GET", _SKILLS, "list_skills", "skill:list", "List your uploaded skills"),
    ("GET", _SKILL, "get", "skill:read", "Look an uploaded skill up"),
    ("DELETE", _SKILL, "delete", "skill:delete", "Delete an uploaded skill"),
    ("POST", _VERSIONS, "create_version", "skill:create", "Upload a version of a skill"),
    ("GET", _VERSIONS, "list_versions", "skill:list", "List the versions of a skill"),
    ("GET", _VERSION, "get_version", "skill:read", "Look a version of a skill up"),
    ("DELETE", _VERSION, "delete_version", "skill:delete", "Delete a version of a skill"),
    ("GET", f"{_VERSION}/content", "content", "skill:read", "Download a version of a skill"),
)


def register(routes: Routes, home: Callable[[], Home]) -> None:
    """Add the routes; `home` is asked on each request."""
    for method, path, name, action, summary in _ROUTES:
        routes.add(method, path, _handler(home, name), access="key", summary=summary, action=action)


def _handler(home: Callable[[], Home], name: str) -> Handler:
    async def handle(request: HttpRequest) -> HttpResponse:
        serve: Handler = getattr(home(), name)
        try:
            return await serve(request)
        except Refused as refused:
            return _error(request, refused.status, refused.type, refused.message)
        except BadSkill as bad:
            return _error(request, 400, "invalid_request_error", f"This is no skill: {bad}.")
        except RequestError as error:
            kind = "api_error" if error.status >= 500 else "invalid_request_error"
            return _error(request, error.status, kind, error.message)

    return handle


def _error(request: HttpRequest, status: int, kind: str, message: str) -> HttpResponse:
    told = {"type": "error", "error": {"type": kind, "message": message}, "request_id": request.request_id}
    return HttpResponse.json(told, status)
