"""What the YAML may say under `routeiq.plugins.prometheus`, and LiteLLM's keys about metrics.

What follows from it for metrics and labels is worked out in `layout` and `catalogue`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from routeiq_sdk import FromLitellm, PluginConfig

Name = Annotated[str, Field(min_length=1, max_length=200)]
CallerIdentity = Literal["api_key_alias", "user_email", "both"]


class MetricsGroup(PluginConfig):
    """A group of LiteLLM's metrics that are shown, and the labels that they keep."""

    group: str = Field("", description="A name for people.")
    metrics: tuple[Name, ...] = Field(description="Names of LiteLLM's metrics.")
    include_labels: tuple[Name, ...] | None = Field(None, description="The labels they keep; all without it.")


class PrometheusConfig(PluginConfig):
    """Who may read the metrics, how many label sets there may be, and LiteLLM's choices of metrics and labels."""

    public: bool = Field(False, description="Whether `/metrics` is served without a key.")
    any_key: bool = Field(
        False,
        description="Whether any key may read `/metrics`, which name all teams and what they spend; without it the "
        "master key and roles that hold everywhere and allow `metrics:read`.",
    )
    most_series: int = Field(
        2000,
        ge=10,
        le=1_000_000,
        description="Label sets a metric may have in each worker; beyond them keys, users and teams become `other`.",
    )
    client_labels: bool = Field(
        False, description="Whether the labels `client_ip` and `user_agent` are filled; clients choose their values."
    )
    require_auth: Annotated[bool | None, FromLitellm("litellm_settings.require_auth_for_metrics_endpoint")] = Field(
        None, description="Whether `/metrics` asks for a key."
    )
    end_users_on: Annotated[bool, FromLitellm("litellm_settings.enable_end_user_cost_tracking_prometheus_only")] = (
        Field(False, description="Whether the label `end_user` is filled.")
    )
    end_users_off: Annotated[bool, FromLitellm("litellm_settings.disable_end_user_cost_tracking_prometheus_only")] = (
        Field(False, description="Whether the label `end_user` stays empty whatever else is said.")
    )
    metadata_labels: Annotated[tuple[Name, ...], FromLitellm("litellm_settings.custom_prometheus_metadata_labels")] = (
        Field((), description="Fields of the metadata of keys and teams that become labels.")
    )
    tag_labels: Annotated[tuple[Name, ...], FromLitellm("litellm_settings.custom_prometheus_tags")] = Field(
        (), description="Tags that become labels `tag_NAME` of value true or false; `*` stands for any text."
    )
    metrics_config: Annotated[tuple[MetricsGroup, ...], FromLitellm("litellm_settings.prometheus_metrics_config")] = (
        Field((), description="The metrics of LiteLLM that are shown; all without it.")
    )
    exclude_metrics: Annotated[tuple[Name, ...], FromLitellm("litellm_settings.prometheus_exclude_metrics")] = Field(
        (), description="Metrics of LiteLLM that are not shown."
    )
    exclude_labels: Annotated[tuple[Name, ...], FromLitellm("litellm_settings.prometheus_exclude_labels")] = Field(
        (), description="Labels that LiteLLM's metrics do without."
    )
    latency_buckets: Annotated[tuple[float, ...] | None, FromLitellm("litellm_settings.prometheus_latency_buckets")] = (
        Field(None, min_length=1, max_length=100, description="Bounds of the buckets of latencies, in seconds.")
    )
    stream_label: Annotated[bool, FromLitellm("litellm_settings.prometheus_emit_stream_label")] = Field(
        False, description="Whether `litellm_proxy_total_requests_metric` has the label `stream`."
    )
    caller_identity: Annotated[
        CallerIdentity, FromLitellm("litellm_settings.prometheus_deployment_and_latency_caller_identity")
    ] = Field("api_key_alias", description="How metrics of deployments and latencies name the caller.")

    @property
    def end_users(self) -> bool:
        """Whether the label `end_user` is filled."""
        return self.end_users_on and not self.end_users_off

    @property
    def access(self) -> str:
        """The access of the route, as `Routes.add` takes it."""
        if self.public or self.require_auth is False:
            return "public"
        return "key" if self.any_key else "admin"

    @field_validator("latency_buckets")
    @classmethod
    def _rising(cls, bounds: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if bounds is None:
            return None
        finite = bounds[:-1] if bounds[-1] == float("inf") else bounds
        if not finite or list(finite) != sorted(set(finite)) or not all(0 < bound < float("inf") for bound in finite):
            raise ValueError("bounds are positive numbers of seconds that rise")
        return finite

    @model_validator(mode="after")
    def _says_one_thing(self) -> PrometheusConfig:
        if self.public and self.require_auth:
            raise ValueError(
                "`public: true` contradicts litellm_settings.require_auth_for_metrics_endpoint: true; keep one of them"
            )
        return self
