"""The a2a plugin: its hooks, each handed to the part that knows.

No decision is taken here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from routeiq_a2a.config import A2AConfig
from routeiq_a2a.faces.tools import AgentTools
from routeiq_a2a.registry.rows import configured
from routeiq_a2a.routes import register
from routeiq_sdk import Context, Deployment, Gateway, Plugin, PluginError, RequestError, hookimpl
from routeiq_sdk.gateway import ModelAdapters
from routeiq_sdk.values.health import Health
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes
from routeiq_sdk.values.tools import ToolServer

if TYPE_CHECKING:
    from routeiq_a2a.parts import Parts


_UNAUTHENTICATED = 401
_PATHS = ("/a2a", "/v1/a2a/", "/.well-known/agent")


class A2A(Plugin[A2AConfig]):
    """A2A gateway for RouteIQ: agents behind one address."""

    def __init__(self, config: A2AConfig) -> None:
        super().__init__(config)
        self._made: Parts | None = None

    @property
    def origins(self) -> Iterable[str]:
        """The agents' addresses, as the operator wrote them."""
        return tuple(url for agent in configured(self.config) for url in agent.written)

    @property
    def _parts(self) -> Parts:
        if self._made is None:
            raise PluginError("a2a", "it was not set up.")
        return self._made

    @hookimpl
    def register_routes(self, routes: Routes) -> None:
        register(routes, self.config, self._handler)

    @hookimpl
    def register_adapters(self, adapters: ModelAdapters) -> None:
        adapters.add_adapter("a2a", _Adapter(lambda: self._parts))

    @hookimpl
    def challenge(self, ctx: Context, error: RequestError) -> Mapping[str, str] | None:
        if error.status != _UNAUTHENTICATED or not ctx.path.startswith(_PATHS):
            return None
        return self._parts.challenge(ctx)

    @hookimpl
    def offer_tool_servers(self) -> Sequence[ToolServer]:
        if any(agent.as_tools for agent in configured(self.config)):
            return (AgentTools(lambda: self._parts),)
        return ()

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        from routeiq_a2a.parts import Parts

        parts = self._made = Parts(self.config, gateway)
        await parts.start()

    @hookimpl
    async def teardown(self) -> None:
        parts, self._made = self._made, None
        if parts is not None:
            await parts.stop()

    @hookimpl
    async def model_rows(self) -> Sequence[Mapping[str, Any]]:
        return [
            {
                "model_name": f"agent/{agent.name}",
                "litellm_params": {"model": f"a2a/{agent.name}", "input_cost_per_request": agent.price / 1e9},
                "model_info": {"id": f"a2a-{agent.id}", "mode": "chat"},
            }
            for agent in configured(self.config)
            if agent.as_model
        ]

    @hookimpl
    async def health_check(self) -> Health:
        away = self._parts.cards.failing()
        unreadable = self._parts.registry.stored.unreadable
        if unreadable:
            return Health("degraded", f"{unreadable} agents in the store cannot be read: is encryption_key the same?")
        return Health("degraded", f"no card of {', '.join(away)}") if away else Health()

    def _handler(self, choose: Callable[[Parts], Callable[[HttpRequest], Any]]) -> Callable[[HttpRequest], Any]:
        async def handle(request: HttpRequest) -> HttpResponse:
            response: HttpResponse = await choose(self._parts)(request)
            return response

        return handle


class _Adapter:
    """Stands for the chat face, which is made at `setup`."""

    def __init__(self, parts: Callable[[], Parts]) -> None:
        self._parts = parts

    async def complete(
        self, ctx: Context, deployment: Deployment, body: Mapping[str, Any]
    ) -> Mapping[str, Any] | AsyncIterator[Mapping[str, Any]]:
        return await self._parts().chat.complete(ctx, deployment, body)
