"""What the YAML may say under `routeiq.plugins.routing-ml`, and the two keys of `router_settings` it also reads.

Reading artifacts and deciding are done elsewhere; nothing heavy is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, StringConstraints, model_validator

from routeiq_routing_ml.serving.experiments import Experiment
from routeiq_sdk import FromLitellm, PluginConfig

Name = Annotated[str, StringConstraints(min_length=1)]
ProfileName = Literal["quality", "balanced", "economy", "floor"]
PROFILES: tuple[str, ...] = get_args(ProfileName)
Share = Annotated[float, Field(ge=0, le=1)]
MAIN = "main"
"""The name of the router that `artifact` names, beside those of `artifacts`."""
LLMROUTER = "llmrouter-"


class ProfilesBy(PluginConfig):
    """Profiles of certain callers. A key's word goes before its team's."""

    keys: Mapping[Name, ProfileName] = Field(default_factory=dict, description="Profile by key id or key alias.")
    teams: Mapping[Name, ProfileName] = Field(default_factory=dict, description="Profile by team.")


class Variant(PluginConfig):
    """One arm of an experiment."""

    router: Name = Field(description="`main`, or a name of `artifacts`.")
    weight: float = Field(1.0, gt=0, le=1e6, description="Its share, relative to the other variants.")


class ExperimentConfig(PluginConfig):
    """A weighted comparison of routers. The same unit always gets the same variant, on every worker."""

    id: Name = Field(description="Name of the experiment; another name deals the units anew.")
    by: Literal["key", "team", "user", "end_user", "session", "request"] = Field(
        "key", description="What is dealt to the variants; without it the next wider one, down to the request."
    )
    variants: tuple[Variant, ...] = Field(min_length=2, description="The routers to compare.")

    def dealer(self) -> Experiment:
        """What deals units to the variants. Raises `ValueError` for variants that cannot be dealt to."""
        return Experiment(self.id, tuple((variant.router, variant.weight) for variant in self.variants), self.by)


class AdaptiveConfig(PluginConfig):
    """Corrections learned from feedback."""

    enabled: bool = Field(False, description="Whether feedback corrects the predicted qualities.")
    forgetting: float = Field(0.999, gt=0.9, le=1, description="How much of the past each feedback leaves; 1 is all.")


class MlConfig(PluginConfig):
    """Learned routing. Without an artifact and without a bandit the plugin does nothing."""

    artifact: Path | None = Field(None, description="Folder of the router, made by `routeiq route train`.")
    artifacts: Mapping[Name, Path] = Field(
        default_factory=dict, description="Further routers by name, for experiments and shadows."
    )
    default_model: Name | None = Field(
        None, description="Model group to abstain to; without it the best single model of the training data."
    )
    models: Mapping[Name, Name] = Field(
        default_factory=dict, description="Model group by the name a model had in training; without it they are equal."
    )
    profile: ProfileName = Field("quality", description="How quality and cost are weighed when nobody says otherwise.")
    profiles: ProfilesBy = Field(ProfilesBy(), description="Profiles of certain keys and teams.")
    client_profile: bool = Field(True, description="Whether a request may name its profile or its own lambda.")
    margin: Share | None = Field(
        None, description="How much better than the default model a choice must be; else what the artifact says."
    )
    tolerance: Share | None = Field(
        None, description="Profile floor: how much worse than the best a choice may be; else what the artifact says."
    )
    trusted_keys: tuple[Path, ...] = Field(
        (), description="Public keys (.pub) that may sign artifacts, beside those in `data_dir/keys`."
    )
    reload_seconds: float = Field(5.0, ge=0, le=3600, description="Seconds between looks for newer artifacts; 0: none.")
    embed_seconds: float = Field(0.5, gt=0, le=30, description="Seconds an embedder may take; then hashing stands in.")
    embed_cache: int = Field(2048, ge=0, le=1_000_000, description="Vectors kept, by digest of the prompt.")
    allowed_estimators: tuple[Name, ...] = Field(
        (), description="Types that an artifact of the strategy `custom` may hold, beside plain scikit-learn ones."
    )
    experiment: ExperimentConfig | None = Field(None, description="A weighted comparison of routers.")
    shadow: tuple[Name, ...] = Field((), description="Routers that decide in silence; their choice is only recorded.")
    explore: float = Field(
        0.0, ge=0, le=0.5, description="Share of requests that get a model at random, for later learning; 0 is off."
    )
    adaptive: AdaptiveConfig = Field(AdaptiveConfig(), description="Corrections learned from feedback.")
    bandit: bool = Field(
        False, description="Whether a bandit learns pools without an artifact from feedback alone; slow, see the docs."
    )
    seed: int | None = Field(None, description="Seed of exploration and bandit, to repeat a run; else random.")
    routing_strategy: Annotated[str, FromLitellm("router_settings.routing_strategy")] = Field(
        "", description="LLMRouter's names (`llmrouter-knn`, ...) choose a deployment within a group."
    )
    routing_strategy_args: Annotated[Mapping[str, Any], FromLitellm("router_settings.routing_strategy_args")] = Field(
        default_factory=dict, description="With LLMRouter's names: `model_path` is the artifact's folder."
    )

    @model_validator(mode="after")
    def _can_be_dealt(self) -> MlConfig:
        if self.experiment is not None:
            self.experiment.dealer()
        return self

    @model_validator(mode="after")
    def _routers_exist(self) -> MlConfig:
        if MAIN in self.artifacts:
            raise ValueError(f"artifacts may not use the name {MAIN!r}: it is that of `artifact`")
        known = self.routers.keys()
        variants = self.experiment.variants if self.experiment is not None else ()
        for place, names in (("experiment", [v.router for v in variants]), ("shadow", self.shadow)):
            unknown = sorted(set(names) - known)
            if unknown:
                raise ValueError(f"{place} names routers without an artifact: {', '.join(unknown)}")
        return self

    @property
    def routers(self) -> dict[str, Path]:
        """Folders of all routers by name."""
        own = self.artifact
        if own is None and self.routing_strategy.startswith(LLMROUTER):
            told = self.routing_strategy_args.get("model_path")
            own = Path(told) if isinstance(told, str) and told else None
        return {**({MAIN: own} if own is not None else {}), **self.artifacts}
