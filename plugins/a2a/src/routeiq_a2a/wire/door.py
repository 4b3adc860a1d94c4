"""The paths of agents: who asks, for which agent, in which version; then the binding takes over.

An agent that the caller may not use is not there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson
from a2a.types import AgentCard
from a2a.utils.errors import A2AError, VersionNotSupportedError

from routeiq_a2a.cards.serving import ServedCards, shown
from routeiq_a2a.config import A2AConfig
from routeiq_a2a.forwarding.callers import Caller, owner_of
from routeiq_a2a.forwarding.road import Road
from routeiq_a2a.registry.agent import Agent
from routeiq_a2a.registry.registry import Registry
from routeiq_a2a.wire.errors import problem
from routeiq_a2a.wire.jsonrpc import JsonRpc
from routeiq_a2a.wire.rest import Rest
from routeiq_a2a.wire.versions import V0_3, V1_0, major_minor, told_extensions, told_version
from routeiq_sdk import Context, RequestError
from routeiq_sdk.values.http import HttpRequest, HttpResponse

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Door:
    """The handlers of the routes towards clients."""

    def __init__(
        self, config: A2AConfig, registry: Registry, road: Road, served: ServedCards, rpc: JsonRpc, rest: Rest
    ) -> None:
        self._public_url = config.public_url
        self._default = config.default_agent
        self._public_cards = config.public_cards
        self._registry = registry
        self._road = road
        self._served = served
        self._rpc = rpc
        self._rest = rest

    async def rpc(self, request: HttpRequest) -> HttpResponse:
        """JSON-RPC."""
        agent = await self._agent(request)
        try:
            caller = self._caller(request, agent)
        except A2AError as error:
            return self._rpc.failed(error, _id_of(request), V1_0)
        return await self._rpc.answer(request, caller)

    def rest(self, operation: str) -> Callable[[HttpRequest], Awaitable[HttpResponse]]:
        """HTTP+JSON."""

        async def handle(request: HttpRequest) -> HttpResponse:
            try:
                agent = await self._agent(request)
                caller = self._caller(request, agent)
            except (A2AError, RequestError) as error:
                return self._rest.failed(error, V0_3 if told_version(request) is None else V1_0)
            return await self._rest.answer(request, caller, operation)

        return handle

    async def card(self, request: HttpRequest) -> HttpResponse:
        """The card of an agent."""
        return await self._card(request, await self._agent(request, card=True))

    async def default_card(self, request: HttpRequest) -> HttpResponse:
        """The card of the one agent that is this gateway's."""
        agent = self._registry.find(self._default or "")
        if agent is None or not (self._public_cards or await self._road.permitted(_context(request), agent)):
            raise RequestError(404, "This gateway names no agent as its own; see `default_agent`.")
        return await self._card(request, agent)

    async def catalog(self, request: HttpRequest) -> HttpResponse:
        """All agents that the caller may use. One whose card cannot be had is named without it."""
        ctx, base = _context(request), self.base(request)
        listed: list[Mapping[str, Any]] = []
        for agent in self._registry:
            if not await self._road.permitted(ctx, agent):
                continue
            entry: dict[str, Any] = {"id": agent.id, "name": agent.name, "url": f"{base}/a2a/{agent.name}"}
            try:
                entry["card"] = shown(await self._served.card(ctx, agent, base), modern=True)
            except A2AError as error:
                entry["error"] = error.message
            listed.append(entry)
        return HttpResponse.json({"agents": listed}, headers={"Cache-Control": "private, no-cache"})

    async def jwks(self, request: HttpRequest) -> HttpResponse:
        """The public key by which cards are checked."""
        headers = {"Cache-Control": "public, no-cache"}
        return HttpResponse(200, orjson.dumps(self._served.signer.jwks), headers, "application/jwk-set+json")

    def base(self, request: HttpRequest) -> str:
        """The gateway's address as this client sees it."""
        if self._public_url is not None:
            return self._public_url
        host = request.headers.get("host") or "localhost"
        forwarded = (request.headers.get("x-forwarded-proto") or "").strip().lower()
        try:
            local = urlsplit(f"//{host}").hostname in _LOOPBACK
        except ValueError:
            local = False
        scheme = forwarded if forwarded in ("http", "https") else "http" if local else "https"
        return f"{scheme}://{host}"

    async def _agent(self, request: HttpRequest, *, card: bool = False) -> Agent:
        agent = self._registry.find(request.path_params["agent"])
        if agent is not None and (
            (card and self._public_cards) or await self._road.permitted(_context(request), agent)
        ):
            return agent
        raise RequestError(404, "There is no such agent, or not for you.", type="not_found_error")

    async def _card(self, request: HttpRequest, agent: Agent) -> HttpResponse:
        try:
            card: AgentCard = await self._served.card(_context(request), agent, self.base(request))
        except A2AError as error:
            told = problem(error)
            return HttpResponse.json(told.rest(), told.http)
        return self._served.answer(request, card)

    def _caller(self, request: HttpRequest, agent: Agent) -> Caller:
        told = told_version(request)
        version = V0_3 if told is None else major_minor(told)
        if version not in (V0_3, V1_0):
            raise VersionNotSupportedError(
                f"A2A {told[:20]!r} is not spoken here; 1.0 and 0.3 are." if told else "no version"
            )
        principal = request.principal
        assert principal is not None  # the routes declare `key`
        return Caller(
            _context(request), agent, self.base(request), owner_of(principal), version, told_extensions(request)
        )


def _context(request: HttpRequest) -> Context:
    assert request.context is not None
    return request.context


def _id_of(request: HttpRequest) -> Any:
    try:
        body = orjson.loads(request.body)
    except ValueError:
        return None
    id = body.get("id") if isinstance(body, dict) else None
    return id if isinstance(id, str | int) and not isinstance(id, bool) else None
