"""What the YAML may say under `routeiq.plugins.audit`.

What follows from it is done by the modules that take these values.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt, field_validator, model_validator

from routeiq_sdk import FromLitellm, PluginConfig, Secret

Mode = Literal["closed", "buffered", "off"]


class Classes(PluginConfig):
    """How each class of events is written: `closed` waits for the disk and refuses without it, `buffered` does not
    wait, `off` writes nothing."""

    admin: Mode = Field("closed", description="Changes of keys, teams, users, budgets, models, the configuration.")
    policy: Mode = Field("closed", description="Changes of roles, bindings, policies and guardrails.")
    auth: Mode = Field("closed", description="Callers who were refused, sign-ins, provisioning.")
    request: Mode = Field("buffered", description="Requests for models: decision, attempts, usage, cost.")
    guard: Mode = Field("buffered", description="Objections of guards.")
    tool: Mode = Field("buffered", description="Calls of tools.")
    other: Mode = Field("buffered", description="What plugins tell beside these.")

    @model_validator(mode="after")
    def _only_what_can_wait(self) -> Classes:
        for name in ("guard", "other"):
            if getattr(self, name) == "closed":
                raise ValueError(f"{name} events are told after the fact; they can be buffered or off")
        return self


class ObjectLock(PluginConfig):
    """Retention that the bucket enforces."""

    mode: Literal["COMPLIANCE", "GOVERNANCE"] = Field("COMPLIANCE", description="COMPLIANCE, which nobody can lift.")
    days: int = Field(ge=1, le=36_500, description="Days an object cannot be deleted or replaced.")


class FileSink(PluginConfig):
    """A directory."""

    kind: Literal["file"] = "file"
    path: Path = Field(description="Where the objects are written.")


class S3Sink(PluginConfig):
    """A bucket of Amazon S3 or whoever speaks its protocol."""

    kind: Literal["s3"] = "s3"
    bucket: str = Field(min_length=3, max_length=63, description="The bucket.")
    prefix: str = Field("", description="What all names begin with.")
    endpoint_url: str | None = Field(None, description="Where it is served; without it Amazon's own address.")
    region: str = Field("us-east-1", description="The region that requests are signed for.")
    object_lock: ObjectLock | None = Field(None, description="Retention; the bucket must have Object Lock.")
    heads: bool = Field(
        True,
        description="Whether the chain's signed end is kept there; it is replaced with each object (`If-Match`), which "
        "a bucket policy that demands `If-None-Match` forbids.",
    )
    kms_key: str | None = Field(None, description="The KMS key that encrypts the objects.")
    access_key_id: Secret | None = Field(None, description="Without it botocore's own ways to find credentials.")
    secret_access_key: Secret | None = Field(None, description="The secret beside it.")
    session_token: Secret | None = Field(None, description="The token of temporary credentials.")

    @model_validator(mode="after")
    def _whole_credentials(self) -> S3Sink:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key come together")
        return self


KafkaOption = StrictBool | StrictInt | StrictFloat | Secret
"""An option of librdkafka. Texts are secrets, because passwords are among them."""


class KafkaSink(PluginConfig):
    """A topic."""

    kind: Literal["kafka"] = "kafka"
    bootstrap: str = Field(min_length=1, description="Brokers, as host:port by comma.")
    topic: str = Field(min_length=1, description="The topic; one message an event.")
    config: Mapping[str, KafkaOption] = Field(
        default_factory=dict, description="Options of librdkafka, security among them."
    )

    @field_validator("config")
    @classmethod
    def _stays_durable(cls, config: Mapping[str, KafkaOption]) -> Mapping[str, KafkaOption]:
        wanted = {"enable.idempotence": ("true",), "acks": ("all", "-1"), "request.required.acks": ("all", "-1")}
        for name, allowed in wanted.items():
            option = config.get(name, "")
            told = option.reveal() if isinstance(option, Secret) else str(option)
            if name in config and told.lower() not in allowed:
                raise ValueError(f"{name} is {allowed[0]} for an audit trail; leave it out")
        return config


class WebhookSink(PluginConfig):
    """An address that takes batches of events: a SIEM, a collector."""

    kind: Literal["webhook"] = "webhook"
    url: str = Field(min_length=8, description="Where batches are posted.")
    headers: Mapping[str, Secret] = Field(default_factory=dict, description="Headers of each request.")
    format: Literal["ocsf", "raw", "splunk_hec"] = Field("ocsf", description="ocsf, raw, or Splunk's collector form.")
    secret: Secret | None = Field(None, description="Signs each request (`x-routeiq-signature`).")


SinkConfig = Annotated[FileSink | S3Sink | KafkaSink | WebhookSink, Field(discriminator="kind")]


class Seal(PluginConfig):
    """When a batch becomes an object."""

    bytes: int = Field(8 * 1024 * 1024, ge=1024, le=256 * 1024 * 1024, description="Bytes of events, uncompressed.")
    seconds: float = Field(60.0, gt=0, le=3600, description="Age of the oldest event in it.")


class Retention(PluginConfig):
    """How long the file sink keeps objects."""

    days: int = Field(ge=1, description="Days; older objects are deleted, their manifests stay.")


class AuditConfig(PluginConfig):
    """The audit trail: where events wait, who keeps them, what waits for the disk."""

    spool: Path | None = Field(None, description="Where events lie until all sinks have them; else in `data_dir`.")
    sinks: tuple[SinkConfig, ...] = Field(min_length=1, description="Who keeps the trail.")
    classes: Classes = Field(default_factory=Classes, description="How each class of events is written.")
    on_full: Literal["refuse", "drop_oldest"] = Field(
        "refuse", description="When there is no room for buffered events: refuse new requests, or drop and say so."
    )
    buffer_seconds: float = Field(
        0.1, gt=0, le=10, description="How long buffered events wait for others, so that they share one write to disk."
    )
    spool_bytes: int = Field(512 * 1024 * 1024, ge=16 * 1024 * 1024, description="Most bytes of the spool, a worker.")
    outbox_bytes: int = Field(
        2 * 1024 * 1024 * 1024,
        ge=1024 * 1024,
        description="Most bytes of sealed objects that wait for sinks, a worker.",
    )
    seal: Seal = Field(default_factory=Seal, description="When a batch becomes an object.")
    tenant_by: Literal["none", "team", "organization"] = Field(
        "none", description="Whose events are kept apart, in objects and chains of their own."
    )
    signing_key: Secret | None = Field(
        None, description="Ed25519 private key (PEM); without it one is made in the spool's directory."
    )
    retention: Retention | None = Field(None, description="How long file sinks keep objects; for ever without it.")
    store_audit_logs: Annotated[bool, FromLitellm("litellm_settings.store_audit_logs")] = Field(
        True, description="Whether changes are audited; they are while this plugin runs."
    )

    audit_log_callbacks: Annotated[tuple[str, ...], FromLitellm("litellm_settings.audit_log_callbacks")] = Field(
        (), description="LiteLLM's targets of audit rows. Name sinks instead; anything here stops the start."
    )

    @field_validator("audit_log_callbacks", mode="before")
    @classmethod
    def _are_sinks(cls, written: Any) -> Any:
        if written:
            raise ValueError(
                "name the targets under routeiq.plugins.audit.sinks (s3, webhook, ...) and remove this key"
            )
        return ()

    @field_validator("store_audit_logs")
    @classmethod
    def _cannot_be_off(cls, wanted: bool) -> bool:
        if not wanted:
            raise ValueError("changes are audited while this plugin runs; remove the plugin or the key")
        return wanted
