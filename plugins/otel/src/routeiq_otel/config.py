"""What the YAML may say under `routeiq.plugins.otel`, and LiteLLM's keys about traces.

What follows from it, together with the environment's `OTEL_*` variables, is worked out in `settings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from routeiq_otel.endpoints import checked
from routeiq_sdk import FromLitellm, PluginConfig, Secret
from routeiq_sdk.messages import MessageLogging

Protocol = Literal["http/protobuf", "grpc"]
Share = Annotated[float, Field(ge=0, le=1)]


class Tail(PluginConfig):
    """Which finished requests are kept whatever `sample` says, and how many of the others."""

    errors: bool = Field(
        True, description="Keep requests that failed, that needed a second attempt, or that a guard objected to."
    )
    slower_than_ms: float | None = Field(None, gt=0, description="Keep requests that took longer, in milliseconds.")
    cost_above_usd: float | None = Field(None, ge=0, description="Keep requests that cost more, all attempts together.")
    ratio: Share = Field(0.0, description="Share of the others that is kept.")


class OtelConfig(PluginConfig):
    """Where telemetry goes, which signals, and what of them. Without an endpoint the plugin is idle."""

    endpoint: str | None = Field(
        None, description="URL of an OTLP receiver, such as `http://127.0.0.1:4318`; signals have their paths below it."
    )
    traces_endpoint: str | None = Field(None, description="Full URL for traces alone.")
    metrics_endpoint: str | None = Field(None, description="Full URL for metrics alone.")
    logs_endpoint: str | None = Field(None, description="Full URL for logs alone.")
    protocol: Protocol | None = Field(
        None, description="`http/protobuf` (the default) or `grpc`, which needs `routeiq-otel[grpc]`."
    )
    headers: Mapping[str, Secret] = Field({}, description="Headers (grpc: metadata) of every export.")
    compression: Literal["none", "gzip"] | None = Field(
        None, description="How exports are compressed; none by default."
    )
    timeout_seconds: float | None = Field(None, gt=0, le=300, description="How long an export may take; 10 by default.")
    certificate: str | None = Field(None, description="grpc: file with the authorities that may sign the receiver.")
    exporters: tuple[str, ...] = Field(
        (),
        description="Who gets traces: `otlp` (the endpoint; alone by default), or names of installed span exporters, "
        "such as `console`.",
    )
    traces: bool = Field(True, description="Whether traces are exported.")
    metrics: bool = Field(True, description="Whether metrics are exported.")
    logs: bool = Field(False, description="Whether a log record is exported for each request, refusal and change.")
    sample: Share | None = Field(
        None, description="Share of traces that begin here and are kept (1.0); a caller's own choice is followed."
    )
    tail: Tail | None = Field(None, description="A second choice, when the request is finished.")
    propagate: bool = Field(False, description="Whether providers get `traceparent` and `tracestate`.")
    service_name: str | None = Field(None, description="`service.name`; `routeiq` by default.")
    resource: Mapping[str, str] = Field({}, description="Further attributes of the resource.")
    client_address: bool = Field(False, description="Whether spans and logs tell the client's address.")
    metric_interval_seconds: float | None = Field(None, gt=0, description="Seconds between exports of metrics; 60.")
    linger_seconds: float = Field(1.0, gt=0, le=60, description="How long spans and logs wait for company.")
    most_waiting: int = Field(
        10_000, ge=100, le=1_000_000, description="Requests that wait while the receiver is away; then the oldest go."
    )
    most_series: int = Field(
        2000, ge=10, le=100_000, description="Label sets a metric may have; what is beyond shares one."
    )
    messages: MessageLogging = Field(
        MessageLogging(), description="What of prompts and answers goes into spans: nothing unless you say so."
    )
    otel: Annotated[bool, FromLitellm("general_settings.otel")] = Field(
        False, description="Switches export on, to the default receiver on this machine unless an endpoint is given."
    )
    callbacks: Annotated[tuple[str, ...], FromLitellm("litellm_settings.callbacks")] = Field(
        (), description="`otel`, `langfuse_otel`, `arize` and `arize_phoenix` switch export on."
    )
    success_callback: Annotated[tuple[str, ...], FromLitellm("litellm_settings.success_callback")] = Field(
        (), description="As `callbacks`."
    )
    failure_callback: Annotated[tuple[str, ...], FromLitellm("litellm_settings.failure_callback")] = Field(
        (), description="As `callbacks`."
    )
    forward_traceparent: Annotated[bool, FromLitellm("litellm_settings.forward_traceparent_to_llm_provider")] = Field(
        False, description="As `propagate`."
    )
    turn_off_message_logging: Annotated[bool, FromLitellm("litellm_settings.turn_off_message_logging")] = Field(
        False, description="Keeps all prompts and answers out, whatever `messages` says."
    )

    @property
    def propagates(self) -> bool:
        """Whether providers are told of the trace."""
        return self.propagate or self.forward_traceparent

    @property
    def callback_names(self) -> frozenset[str]:
        """LiteLLM's callbacks that are configured."""
        return frozenset({*self.callbacks, *self.success_callback, *self.failure_callback})

    @field_validator("callbacks", "success_callback", "failure_callback", mode="before")
    @classmethod
    def _names(cls, told: Any) -> tuple[str, ...]:
        each = told if isinstance(told, list | tuple) else (told,)
        return tuple(name for name in each if isinstance(name, str))

    @field_validator("endpoint", "traces_endpoint", "metrics_endpoint", "logs_endpoint")
    @classmethod
    def _is_url(cls, url: str | None) -> str | None:
        return None if url is None else checked(url)
