"""LiteLLM's routes of agents, `/v1/agents`: rows that are added, changed and deleted while the gateway runs.

Rows of the YAML are shown beside them and never changed here. No secret is shown.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from routeiq_a2a.forwarding.road import Road
from routeiq_a2a.litellm import LitellmAgent
from routeiq_a2a.registry.agent import Agent
from routeiq_a2a.registry.registry import Registry
from routeiq_a2a.registry.stored import Stored
from routeiq_sdk import Gateway, Principal, RequestError, RouteIQError
from routeiq_sdk.values.http import HttpRequest, HttpResponse

_FIELDS = frozenset({"agent_name", "agent_card_params", "litellm_params", "static_headers"})


class Admin:
    """The handlers."""

    def __init__(self, gateway: Gateway, registry: Registry, road: Road) -> None:
        self._gateway = gateway
        self._registry = registry
        self._road = road

    async def list(self, request: HttpRequest) -> HttpResponse:
        """All agents that the caller may use."""
        shown = []
        for agent in self._registry:
            assert request.context is not None
            if await self._road.permitted(request.context, agent):
                shown.append(self._shown(agent, request.principal))
        return HttpResponse.json(shown)

    async def read(self, request: HttpRequest) -> HttpResponse:
        """One agent."""
        agent = self._registry.find(request.path_params["id"])
        assert request.context is not None
        if agent is None or not await self._road.permitted(request.context, agent):
            raise _missing()
        return HttpResponse.json(self._shown(agent, request.principal))

    async def create(self, request: HttpRequest) -> HttpResponse:
        """Add an agent."""
        body = _body(request)
        now, who = _now(), _who(request)
        row = Stored(str(uuid.uuid4()), body, now, now, who, who)
        await self._keep(row)
        return HttpResponse.json(self._shown(row.agent(), request.principal))

    async def update(self, request: HttpRequest) -> HttpResponse:
        """Replace an agent (PUT)."""
        row = self._stored(request)
        changed = replace(row, body=_body(request), updated_at=_now(), updated_by=_who(request))
        await self._keep(changed)
        return HttpResponse.json(self._shown(changed.agent(), request.principal))

    async def patch(self, request: HttpRequest) -> HttpResponse:
        """Change what is named of an agent."""
        row = self._stored(request)
        told = _object(request)
        body = {**row.body, **{name: value for name, value in told.items() if value is not None}}
        changed = replace(row, body=_checked(body), updated_at=_now(), updated_by=_who(request))
        await self._keep(changed)
        return HttpResponse.json(self._shown(changed.agent(), request.principal))

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """Delete an agent."""
        row = self._stored(request)
        agent = row.agent()
        await self._registry.stored.remove(row.id)
        if self._gateway.delegation is not None:
            await self._gateway.delegation.forget(agent.delegate.id)
        return HttpResponse.json({"message": f"Agent {row.id} deleted successfully"})

    async def _keep(self, row: Stored) -> None:
        try:
            agent = row.agent()
        except ValueError as error:
            raise RequestError(400, f"This is no agent: {error}") from None
        other = self._registry.find(agent.name)
        if other is not None and other.id != row.id:
            raise RequestError(409, f"There is an agent called {agent.name!r} already.", param="agent_name")
        try:
            await self._gateway.egress.vet(agent.address)
        except RouteIQError:
            raise RequestError(
                400,
                "The gateway does not call this address: it is not public. Agents of private addresses stand in the "
                "configuration file, or `routeiq.egress.allow` names them.",
                param="agent_card_params.url",
            ) from None
        await self._registry.stored.save(row)

    def _stored(self, request: HttpRequest) -> Stored:
        key = request.path_params["id"]
        if self._registry.configured(key):
            raise RequestError(400, "This agent stands in the configuration file and is changed there.")
        agent = self._registry.find(key)
        row = self._registry.stored.rows().get(agent.id) if agent is not None else None
        if row is None:
            raise _missing()
        return row

    def _shown(self, agent: Agent, principal: Principal | None) -> Mapping[str, Any]:
        card = agent.row.get("agent_card_params") or {"name": agent.name}
        shown: dict[str, Any] = {
            "agent_id": agent.id,
            "agent_name": agent.name,
            "agent_card_params": {**card, "url": f"/a2a/{agent.name}"},
            "litellm_params": agent.row.get("litellm_params", {}),
        }
        if principal is not None and principal.is_admin:
            shown["agent_card_params"] = {**card, "url": agent.address}
            shown["static_headers"] = dict.fromkeys(agent.auth.headers, "**********")
            row = self._registry.stored.rows().get(agent.id)
            if row is not None:
                shown |= {"created_at": row.created_at, "updated_at": row.updated_at}
                shown |= {"created_by": row.created_by, "updated_by": row.updated_by}
        return shown


def _object(request: HttpRequest) -> dict[str, Any]:
    try:
        body = request.json()
    except ValueError:
        raise RequestError(400, "The body is no JSON.") from None
    if not isinstance(body, dict):
        raise RequestError(400, "The body is no JSON object.")
    unknown = sorted(set(body) - _FIELDS)
    if unknown:
        raise RequestError(400, f"{unknown[0]!r} is not served here.", param=str(unknown[0]))
    return body


def _body(request: HttpRequest) -> Mapping[str, Any]:
    return _checked(_object(request))


def _checked(body: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        LitellmAgent.model_validate(dict(body))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RequestError(400, f"{place}: {first['msg']}", param=place) from None
    return body


def _missing() -> RequestError:
    return RequestError(404, "There is no such agent.", type="not_found_error")


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _who(request: HttpRequest) -> str:
    return request.principal.id if request.principal is not None else ""
