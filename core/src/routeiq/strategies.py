"""Strategies and embedders by name, as plugins offer them and the YAML chooses them.

When a strategy is asked is written in `routeiq.request`.
"""

from __future__ import annotations

from routeiq.config.errors import problem_at
from routeiq.config.model import Config
from routeiq_sdk import ConfigError, PluginError
from routeiq_sdk.gateway import DeploymentStrategy, Embedder, ModelStrategy

DEFAULT = "simple-shuffle"


class EmbedderRegistry:
    """Implements the SDK's `Embedders`."""

    def __init__(self) -> None:
        self.by_name: dict[str, Embedder] = {}

    def add_embedder(self, name: str, embedder: Embedder) -> None:
        """Offer an embedder to strategies."""
        if name in self.by_name:
            raise PluginError(name, "the embedder is offered twice.", mend="disable one of the plugins.")
        self.by_name[name] = embedder


class StrategyRegistry:
    """Implements the SDK's `Strategies`."""

    def __init__(self, default: DeploymentStrategy) -> None:
        self.model_strategies: dict[str, ModelStrategy] = {}
        self._default = default
        self._deployment: dict[str, DeploymentStrategy] = {}

    def add_model_strategy(self, name: str, strategy: ModelStrategy) -> None:
        """Offer a strategy for virtual models."""
        if name in self.model_strategies:
            raise PluginError(name, "the model strategy is offered twice.", mend="disable one of the plugins.")
        self.model_strategies[name] = strategy

    def add_deployment_strategy(self, name: str, strategy: DeploymentStrategy) -> None:
        """Offer a strategy for `router_settings.routing_strategy`."""
        if name in self._deployment:
            raise PluginError(name, "the deployment strategy is offered twice.", mend="disable one of the plugins.")
        self._deployment[name] = strategy

    def offers(self, name: str) -> bool:
        """Whether a plugin offers this strategy for deployments."""
        return name in self._deployment

    def check_virtual_models(self, config: Config) -> None:
        """Each strategy that a virtual model names must be offered. Raises `ConfigError`."""
        for name, virtual in config.routeiq.virtual_models.items():
            if virtual.strategy is not None and virtual.strategy not in self.model_strategies:
                known = ", ".join(sorted(self.model_strategies)) or "none"
                raise problem_at(
                    config.positions.at(("routeiq", "virtual_models", name, "strategy")),
                    f"routeiq.virtual_models.{name}.strategy names {virtual.strategy!r}, which no loaded plugin offers",
                    f"install and name the plugin that offers it; offered now: {known}",
                )

    def deployment_strategy(self, config: Config) -> DeploymentStrategy:
        """The configured one; a plugin may replace the default, too. Raises `ConfigError`."""
        name = config.router.routing_strategy
        found = self._deployment.get(name)
        if found is not None:
            return found
        if name == DEFAULT:
            return self._default
        raise ConfigError(
            f"router_settings.routing_strategy names {name!r}, which no loaded plugin offers",
            mend="install the plugin that offers it (pip install routeiq-routing-classic), or use simple-shuffle",
        )
