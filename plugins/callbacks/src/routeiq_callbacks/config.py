"""What the YAML may say under `routeiq.plugins.callbacks`, and LiteLLM's keys about callbacks.

Which targets follow from LiteLLM's keys is worked out in `wanted`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator

from routeiq_sdk import FromLitellm, PluginConfig, Secret
from routeiq_sdk.messages import MessageLogging

LANGFUSE_CLOUD = "https://cloud.langfuse.com"

Names = tuple[str, ...]
Outcomes = Literal["all", "success", "failure"]


def _web(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write a whole address that begins with https:// or http://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an address holds no user and password; they belong in headers or keys")
    return url


WebUrl = Annotated[str, AfterValidator(_web)]


class Target(PluginConfig):
    """What all targets have."""

    on: Outcomes = Field("all", description="Which requests are told: all, those that succeeded, those that failed.")
    teams: Names = Field((), description="Only requests of these teams (their ids); of everybody when empty.")


class LangfuseTarget(Target):
    """A Langfuse project."""

    kind: Literal["langfuse"] = Field("langfuse", description="A Langfuse project.")
    host: WebUrl = Field(LANGFUSE_CLOUD, description="Where Langfuse is served.")
    public_key: Secret = Field(description="The project's public key.")
    secret_key: Secret = Field(description="The project's secret key.")
    api: Literal["auto", "ingestion", "otlp"] = Field(
        "auto",
        description="How it is told: `ingestion` suits Langfuse 2 and 3, `otlp` Langfuse 4 and its cloud; `auto` finds "
        "out.",
    )
    tags: Names = Field((), description="Tags of every trace.")
    default_tags: Names = Field(
        (),
        description="Facts that become tags `NAME:VALUE`: names from the payload's metadata, `cache_hit`, "
        "`proxy_base_url`.",
    )
    environment: str | None = Field(None, description="The environment that traces are filed under.")
    release: str | None = Field(None, description="The release that traces are of.")


class WebhookTarget(Target):
    """An address that takes JSON."""

    kind: Literal["webhook"] = Field("webhook", description="An address that takes JSON.")
    url: WebUrl = Field(description="Where payloads are posted.")
    headers: Mapping[str, Secret] = Field(default_factory=dict, description="Headers of each post.")
    log_format: Literal["json_array", "ndjson", "single"] = Field(
        "json_array", description="What a post holds: a list of payloads, one payload a line, or one payload."
    )


class S3Target(Target):
    """A bucket of Amazon S3 or whoever speaks its protocol: an object a request."""

    kind: Literal["s3"] = Field("s3", description="A bucket of Amazon S3, or of whoever speaks its protocol.")
    bucket: str = Field(min_length=3, max_length=63, description="The bucket.")
    path: str = Field("", description="What all names begin with.")
    team_prefix: bool = Field(False, description="Whether the team's name follows in the path.")
    key_prefix: bool = Field(False, description="Whether the key's name follows in the path.")
    region: str = Field("us-east-1", description="The region that requests are signed for.")
    endpoint_url: WebUrl | None = Field(None, description="Where it is served; without it Amazon's own address.")
    access_key_id: Secret | None = Field(None, description="Without it botocore's own ways to find credentials.")
    secret_access_key: Secret | None = Field(None, description="The secret beside it.")
    session_token: Secret | None = Field(None, description="The token of temporary credentials.")
    server_side_encryption: str | None = Field(None, description="`AES256` or `aws:kms`; the bucket's own without it.")
    kms_key: str | None = Field(None, description="The KMS key of `aws:kms`.")


class GcsTarget(Target):
    """A bucket of Google Cloud Storage: an object a request."""

    kind: Literal["gcs"] = Field("gcs", description="A bucket of Google Cloud Storage.")
    bucket: str = Field(min_length=3, description="The bucket, and a path after a slash.")
    service_account: str = Field(description="The JSON file of a service account.")
    endpoint_url: WebUrl = Field("https://storage.googleapis.com", description="Where it is served.")


class DatadogTarget(Target):
    """Datadog's logs."""

    kind: Literal["datadog"] = Field("datadog", description="Datadog's logs.")
    api_key: Secret | None = Field(None, description="The API key; an agent in between needs none.")
    site: str = Field("datadoghq.com", description="The site, as in the address of its intake.")
    url: WebUrl | None = Field(None, description="Another address than the site's intake: an agent's, a proxy's.")
    source: str = Field("routeiq", description="The source that the logs name.")
    service: str = Field("routeiq", description="The service that the logs are of.")
    hostname: str | None = Field(None, description="The host that the logs are of.")
    tags: Names = Field((), description="Tags of every log, as `name:value`.")


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
    most_text_mib: int = Field(
        64,
        ge=1,
        description="MiB (roughly) of prompts and answers that wait; beyond it requests are told without their texts.",
    )
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
    callback_settings: Annotated[Mapping[str, Any], FromLitellm("callback_settings")] = Field(
        default_factory=dict, description="Webhooks by a name of the operator's own (`callback_type: generic_api`)."
    )
    generic_logger_headers: Annotated[Mapping[str, Secret], FromLitellm("litellm_settings.generic_logger_headers")] = (
        Field(default_factory=dict, description="Headers of the callback `generic_api`.")
    )
    s3_callback_params: Annotated[Mapping[str, Any], FromLitellm("litellm_settings.s3_callback_params")] = Field(
        default_factory=dict, description="Options of the callback `s3`."
    )
    langfuse_default_tags: Annotated[Names, FromLitellm("litellm_settings.langfuse_default_tags")] = Field(
        (), description="Facts that become tags of Langfuse traces."
    )
    default_team_settings: Annotated[
        tuple[Mapping[str, Any], ...], FromLitellm("litellm_settings.default_team_settings")
    ] = Field((), description="Langfuse projects of single teams.")
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
