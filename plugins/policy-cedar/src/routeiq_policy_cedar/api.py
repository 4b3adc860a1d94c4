"""The routes of policies: list, add, change, delete, and try a hypothetical request.

What a text means is checked in `validation`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, replace
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from routeiq_policy_cedar.enforcer import Enforcer
from routeiq_policy_cedar.shelf import ID, Added
from routeiq_policy_cedar.trial import Trial, run
from routeiq_policy_cedar.validation import Problem
from routeiq_sdk import Event, RequestError, StoreUnavailable
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

_BASE = "/routeiq/v1/cedar"
Body = TypeVar("Body", bound=BaseModel)
_TRIES = 3


class NewPolicy(BaseModel):
    """The body of a POST."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    id: str = Field(pattern=f"^{ID.pattern}$")
    policy: str
    description: str = Field("", max_length=1000)
    enabled: bool = True


class ChangedPolicy(BaseModel):
    """The body of a PATCH: what is not there stays."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    policy: str | None = None
    description: str | None = Field(None, max_length=1000)
    enabled: bool | None = None


class Api:
    """Handlers over the enforcer of the runtime."""

    def __init__(self, enforcer: Callable[[], Enforcer]) -> None:
        self._of = enforcer

    async def list(self, request: HttpRequest) -> HttpResponse:
        """All policies, those of files marked as such."""
        policies = self._of().policies
        files: dict[str, list[dict[str, Any]]] = {}
        for policy in policies.of_files:
            files.setdefault(policy.source, []).append(
                {"id": policy.id, "line": policy.line, "forbids": policy.forbids}
            )
        return HttpResponse.json(
            {
                "default": "allow" if policies.book.default_allow else "deny",
                "version": policies.book.version,
                "fault": policies.fault,
                "files": [{"file": name, "policies": rows} for name, rows in files.items()],
                "data": [asdict(added) for added in policies.added.values()],
            }
        )

    async def schema(self, request: HttpRequest) -> HttpResponse:
        """The schema, as Cedar text."""
        return HttpResponse(200, self._of().policies.schema_text.encode(), media_type="text/plain; charset=utf-8")

    async def one(self, request: HttpRequest) -> HttpResponse:
        """One that was added."""
        return HttpResponse.json(asdict(self._added(request)))

    async def create(self, request: HttpRequest) -> HttpResponse:
        """Add one. 400 for a text that does not pass, 409 for an id that is taken."""
        body = _parsed(NewPolicy, request)
        enforcer = self._of()
        self._check(body.id, body.policy)
        now = enforcer.now_ns()
        who = request.principal.id if request.principal is not None else None
        added = Added(body.id, body.policy, body.description, body.enabled, now, now, who, who)
        if not await enforcer.policies.shelf.add(added):
            raise RequestError(409, f"There is a policy {body.id!r}. Change it with PATCH.", param="id")
        await self._changed(request, "added", added)
        return HttpResponse.json(asdict(added), 201)

    async def change(self, request: HttpRequest) -> HttpResponse:
        """Change one; what the body does not name stays."""
        body = _parsed(ChangedPolicy, request)
        given = {name: value for name, value in body.model_dump().items() if value is not None}
        enforcer = self._of()
        for _ in range(_TRIES):
            old = self._added(request)
            who = request.principal.id if request.principal is not None else None
            new = replace(old, **given, updated_at=enforcer.now_ns(), updated_by=who)
            self._check(new.id, new.policy)
            if await enforcer.policies.shelf.replace(old, new):
                await self._changed(request, "changed", new)
                return HttpResponse.json(asdict(new))
            await enforcer.policies.refresh()
        raise RequestError(409, "Somebody else changes this policy at the same time. Read it and try again.")

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """Delete one."""
        added = self._added(request)
        if not await self._of().policies.shelf.remove(added.id):
            raise _unknown(added.id)
        await self._changed(request, "deleted", added)
        return HttpResponse.json({"id": added.id, "deleted": True})

    async def validate(self, request: HttpRequest) -> HttpResponse:
        """Check a text without adding it."""
        body = _parsed(NewPolicy, request)
        self._check(body.id, body.policy)
        return HttpResponse.json({"valid": True})

    async def test(self, request: HttpRequest) -> HttpResponse:
        """Decide about a request that nobody makes, and say which policies decided."""
        trial = _parsed(Trial, request)
        return HttpResponse.json(run(trial, self._of().policies, self._of().now_ns()))

    def _added(self, request: HttpRequest) -> Added:
        id = request.path_params["id"]
        added = self._of().policies.added.get(id)
        if added is None:
            raise _unknown(id)
        return added

    def _check(self, id: str, text: str) -> None:
        _, problems = self._of().policies.problems_with(id, text)
        if problems:
            raise _refused(problems)

    async def _changed(self, request: HttpRequest, what: str, added: Added) -> None:
        enforcer = self._of()
        await enforcer.policies.refresh()
        enforcer.emit(
            Event(
                "routeiq.policy_changed.v1",
                enforcer.now_ns(),
                {
                    "change": what,
                    "policy": added.id,
                    "enabled": added.enabled,
                    "principal": request.principal.id if request.principal is not None else None,
                    "request_id": request.request_id,
                },
            )
        )


def register(routes: Routes, enforcer: Callable[[], Enforcer]) -> None:
    """Add the routes. `enforcer` is asked at each request: routes are made before the plugin is set up."""
    api = Api(enforcer)
    one = f"{_BASE}/policies/{{id}}"
    for method, path, handler, action, summary in (
        ("GET", f"{_BASE}/policies", api.list, "cedar:list", "Access policies"),
        ("POST", f"{_BASE}/policies", api.create, "cedar:create", "Add an access policy"),
        ("GET", one, api.one, "cedar:read", "One access policy"),
        ("PATCH", one, api.change, "cedar:update", "Change an access policy"),
        ("DELETE", one, api.delete, "cedar:delete", "Delete an access policy"),
        ("GET", f"{_BASE}/schema", api.schema, "cedar:read", "The schema of access policies"),
        ("POST", f"{_BASE}/validate", api.validate, "cedar:test", "Check an access policy without adding it"),
        ("POST", f"{_BASE}/test", api.test, "cedar:test", "Decide about a hypothetical request"),
    ):
        routes.add(method, path, _guarded(handler), access="admin", summary=summary, action=action)


def _guarded(
    handler: Callable[[HttpRequest], Awaitable[HttpResponse]],
) -> Callable[[HttpRequest], Awaitable[HttpResponse]]:
    async def guarded(request: HttpRequest) -> HttpResponse:
        try:
            return await handler(request)
        except StoreUnavailable:
            raise RequestError(
                503, "The shared store is away.", type="no_db_connection", headers={"retry-after": "1"}
            ) from None

    return guarded


def _parsed(kind: type[Body], request: HttpRequest) -> Body:
    try:
        return kind.model_validate_json(request.body)
    except ValidationError as error:
        first: Mapping[str, Any] = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RequestError(400, f"{place or 'body'}: {first['msg']}", param=place or None) from None


def _refused(problems: list[Problem]) -> RequestError:
    told = "; ".join(str(problem) for problem in problems[:10])
    return RequestError(400, f"The policy does not pass: {told}", type="validation_error", param="policy")


def _unknown(id: str) -> RequestError:
    return RequestError(
        404, f"There is no policy {id!r} that was added by the API.", type="not_found_error", param="id"
    )
