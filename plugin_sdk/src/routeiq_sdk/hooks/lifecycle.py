"""Hooks of a plugin's own life: set-up, routes and strategies, health, teardown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from routeiq_sdk.gateway import Directory, Embedders, Gateway, ModelAdapters, Strategies
from routeiq_sdk.hooks.marks import hook
from routeiq_sdk.values.health import Health
from routeiq_sdk.values.http import Routes


class LifecycleHooks:
    """Called outside requests, once a runtime (each reload builds a new runtime)."""

    @hook(failure="start")
    async def setup(self, gateway: Gateway) -> None:
        """Open what the plugin needs: connections, files, models.

        Fires once, in plugin order, before the gateway serves. `gateway` is the handle to the core's services; keep it.
        A failure stops the start (at a reload: the old runtime stays) and `teardown` is called all the same.
        """

    @hook(failure="log")
    async def teardown(self) -> None:
        """Close what `setup` opened. Fires once, in reverse order, also after a half-failed `setup`. A failure is
        logged."""

    @hook(failure="start")
    def register_routes(self, routes: Routes) -> None:
        """Add HTTP routes. Fires at start. Each route declares its access; a taken path stops the start."""

    @hook(failure="start")
    def register_strategies(self, strategies: Strategies) -> None:
        """Offer named strategies, which `router_settings.routing_strategy` or a virtual model's `strategy` choose.
        Fires at start."""

    @hook(failure="start")
    def register_embedders(self, embedders: Embedders) -> None:
        """Offer embedders by name, for strategies of any plugin. Fires at start, before `setup`."""

    @hook(failure="start")
    def register_adapters(self, adapters: ModelAdapters) -> None:
        """Offer providers that the core does not know, for rows of models whose `model` begins with their name. Fires
        at start, before `setup`."""

    @hook(failure="start")
    def offer_directory(self) -> Directory | None:
        """Offer the directory of users and groups. Fires at start; two offers stop the start."""

    @hook(failure="start")
    async def model_rows(self) -> Sequence[Mapping[str, Any]]:
        """Rows of models beside those of the YAML's `model_list`, in its form. Fires after `setup`, once a runtime.

        A row whose `model_info.id` is taken, or whose `model_name` a YAML row has, stops the start (at a reload: the
        old runtime stays). Call `gateway.reload` when the rows changed.
        """
        return ()

    @hook(failure="closed")
    async def health_check(self) -> Health:
        """Say whether the plugin can do its work. Fires at each readiness probe; a failure or a time-out counts as not
        ready."""
        return Health()
