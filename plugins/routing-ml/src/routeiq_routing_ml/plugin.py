"""The plugin: hooks, strategies and routes of learned routing.

It imports nothing heavy; what decides is in `serving.engine`, loaded at set-up when there is something to decide with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from routeiq_routing_ml.config import LLMROUTER, MlConfig
from routeiq_routing_ml.serving.by_price import ByPrice
from routeiq_routing_ml.serving.wishes import check_client
from routeiq_sdk import (
    Context,
    Decision,
    Deployment,
    Gateway,
    ModelGroup,
    Need,
    Plugin,
    Record,
    RequestError,
    hookimpl,
)
from routeiq_sdk.gateway import Strategies
from routeiq_sdk.values.health import Health
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_routing_ml.serving.engine import Engine

TRAINED = ("ensemble", "knn", "ridge", "logistic", "svm", "mlp", "mf", "kmeans", "elo", "custom")
"""Strategies that an artifact brings. Each is offered by its name and as `llmrouter-NAME`."""
BANDIT = "bandit"


class RoutingMl(Plugin[MlConfig]):
    """Chooses models by what was learned from recorded outcomes; see `routeiq route train`."""

    needs = frozenset({Need.READS_BODY})

    def __init__(self, config: MlConfig) -> None:
        super().__init__(config)
        self._engine: Engine | None = None

    @hookimpl
    def register_strategies(self, strategies: Strategies) -> None:
        for name in (*TRAINED, BANDIT):
            strategies.add_model_strategy(name, _Named(self, name))
        for name in TRAINED:
            strategies.add_model_strategy(LLMROUTER + name, _Named(self, name))
            strategies.add_deployment_strategy(LLMROUTER + name, _Named(self, name))
        for name, dearest in (("smallest", False), ("largest", True)):
            for offered in (name, LLMROUTER + name):
                strategies.add_model_strategy(offered, ByPrice(offered, dearest=dearest))
            strategies.add_deployment_strategy(LLMROUTER + name, ByPrice(LLMROUTER + name, dearest=dearest))

    @hookimpl
    def register_routes(self, routes: Routes) -> None:
        routes.add(
            "POST",
            "/routeiq/v1/feedback",
            self._feedback,
            access="key",
            action="feedback:create",
            summary="Score a routed answer",
        )
        routes.add(
            "GET",
            "/routeiq/v1/routers",
            self._routers,
            access="admin",
            action="router:read",
            summary="Learned routers in use",
        )

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        if self.config.routers or self.config.bandit:
            from routeiq_routing_ml.serving.engine import Engine

            self._engine = Engine(self.config, gateway)
            await self._engine.open()

    @hookimpl
    async def teardown(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    @hookimpl
    async def authorize(self, ctx: Context) -> None:
        if self._engine is not None:
            check_client(ctx, self.config)

    @hookimpl
    async def select_model(self, ctx: Context, groups: Sequence[ModelGroup]) -> Decision | None:
        return await self._engine.rank(ctx, groups) if self._engine is not None else None

    @hookimpl
    def record(self, ctx: Context, record: Record) -> None:
        if self._engine is not None:
            self._engine.record(ctx, record)

    @hookimpl
    async def health_check(self) -> Health:
        return self._engine.health() if self._engine is not None else Health()

    async def rank(self, ctx: Context, groups: Sequence[ModelGroup], strategy: str) -> Decision | None:
        """The decision of a strategy that a virtual model names; `None` when no router of that kind is loaded."""
        return await self._engine.rank(ctx, groups, strategy) if self._engine is not None else None

    def pick(
        self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment], strategy: str
    ) -> Deployment | None:
        """A deployment by a strategy that `router_settings.routing_strategy` names."""
        return self._engine.pick(ctx, group, deployments, strategy) if self._engine is not None else None

    async def _feedback(self, request: HttpRequest) -> HttpResponse:
        if self._engine is None:
            raise RequestError(404, "No learned routing is configured, so there is no decision to score.")
        return await self._engine.learning.feedback(request)

    async def _routers(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse.json(self._engine.status() if self._engine is not None else {"routers": {}, "problems": {}})


class _Named:
    """One strategy under its name, for virtual models and for deployments."""

    def __init__(self, plugin: RoutingMl, strategy: str) -> None:
        self._plugin = plugin
        self._strategy = strategy

    async def rank(self, ctx: Context, groups: Sequence[ModelGroup]) -> Decision | None:
        """Rank by the router of this strategy."""
        return await self._plugin.rank(ctx, groups, self._strategy)

    def pick(self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]) -> Deployment | None:
        """Pick by the router of this strategy."""
        return self._plugin.pick(ctx, group, deployments, self._strategy)
