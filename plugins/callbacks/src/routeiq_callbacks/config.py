"""What the YAML may say under `routeiq.plugins.callbacks`, and LiteLLM's keys about callbacks.

Which targets follow from it is worked out in `wanted`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from routeiq_sdk import FromLitellm, PluginConfig, Secret
from routeiq_sdk.messages import MessageLogging

Names = tuple[str, ...]
Outcomes = Literal["all", "success", "failure"]


class Target(PluginConfig):
    """What all targets have."""

    on: Outcomes = Field("all", description="Which requests are told: all, those that succeeded, those that failed.")


class LangfuseTarget(Target):
    """A Langfuse project."""

    kind: Literal["langfuse"] = "langfuse"
    host: str = Field("https://cloud.langfuse.com", description="Where Langfuse is served.")
    public_key: Secret = Field(description="The project's public key.")
    secret_key: Secret = Field(description="The project's secret key.")
    tags: Names = Field((), description="Tags of every trace.")


class WebhookTarget(Target):
    """An address that takes JSON."""

    kind: Literal["webhook"] = "webhook"
    url: str = Field(min_length=8, description="Where payloads are posted.")
    headers: Mapping[str, Secret] = Field(default_factory=dict, description="Headers of each post.")
    batch: bool = Field(True, description="Whether posts hold a list of payloads, or one payload each.")


class S3Target(Target):
    """A bucket of Amazon S3 or whoever speaks its protocol: an object a request."""

    kind: Literal["s3"] = "s3"
    bucket: str = Field(min_length=3, max_length=63, description="The bucket.")
    path: str = Field("", description="What all names begin with.")
    region: str = Field("us-east-1", description="The region that requests are signed for.")
    endpoint_url: str | None = Field(None, description="Where it is served; without it Amazon's own address.")
    access_key_id: Secret | None = Field(None, description="Without it botocore's own ways to find credentials.")
    secret_access_key: Secret | None = Field(None, description="The secret beside it.")
    session_token: Secret | None = Field(None, description="The token of temporary credentials.")


class GcsTarget(Target):
    """A bucket of Google Cloud Storage: an object a request."""

    kind: Literal["gcs"] = "gcs"
    bucket: str = Field(min_length=3, description="The bucket, and a path after a slash.")
    service_account: str = Field(description="The JSON file of a service account.")
    endpoint_url: str = Field("https://storage.googleapis.com", description="Where it is served.")


class DatadogTarget(Target):
    """Datadog's logs."""

    kind: Literal["datadog"] = "datadog"
    api_key: Secret = Field(description="The API key.")
    site: str = Field("datadoghq.com", description="The site, as in the address of its intake.")
    url: str | None = Field(None, description="Another address than the site's intake.")
    service: str = Field("routeiq", description="The service that the logs are of.")


AnyTarget = Annotated[
    LangfuseTarget | WebhookTarget | S3Target | GcsTarget | DatadogTarget, Field(discriminator="kind")
]


class CallbacksConfig(PluginConfig):
    """Who is told of finished requests, and how much."""

    targets: tuple[AnyTarget, ...] = Field((), description="Targets beside those that LiteLLM's keys name.")
    messages: MessageLogging = Field(
        default_factory=lambda: MessageLogging(), description="What of prompts and answers is told; nothing without it."
    )
    most_waiting: int = Field(10_000, ge=10, description="Requests that wait for a target; beyond it the oldest go.")
    per_key_targets: bool = Field(
        True,
        description="Whether `logging` in the metadata of keys and teams may name a Langfuse project of their own.",
    )
    success_callback: Annotated[Names, FromLitellm("litellm_settings.success_callback")] = Field(
        (), description="Targets of requests that succeeded, by LiteLLM's names."
    )
    failure_callback: Annotated[Names, FromLitellm("litellm_settings.failure_callback")] = Field(
        (), description="Targets of requests that failed."
    )
    callbacks: Annotated[Names, FromLitellm("litellm_settings.callbacks")] = Field(
        (), description="Targets of all requests."
    )
    s3_callback_params: Annotated[Mapping[str, Any], FromLitellm("litellm_settings.s3_callback_params")] = Field(
        default_factory=dict, description="Options of the callback `s3`."
    )
    langfuse_default_tags: Annotated[Names, FromLitellm("litellm_settings.langfuse_default_tags")] = Field(
        (), description="Tags of every Langfuse trace."
    )
    turn_off_message_logging: Annotated[bool, FromLitellm("litellm_settings.turn_off_message_logging")] = Field(
        False, description="Whether no text is told whatever else is said."
    )
    redact_user_api_key_info: Annotated[bool, FromLitellm("litellm_settings.redact_user_api_key_info")] = Field(
        False, description="Whether nothing is told about key, user and team."
    )
    excluded_fields: Annotated[Names, FromLitellm("litellm_settings.standard_logging_payload_excluded_fields")] = Field(
        (), description="Fields of the payload that are left out."
    )

    @field_validator("success_callback", "failure_callback", "callbacks", mode="before")
    @classmethod
    def _one_or_many(cls, written: Any) -> Any:
        if isinstance(written, str):
            return (written,)
        if isinstance(written, list | tuple):
            return tuple(name for name in written if isinstance(name, str))
        return written
