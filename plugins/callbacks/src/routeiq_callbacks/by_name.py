"""LiteLLM's callbacks by name, each made from its environment variables and keys.

Which names are asked for is `wanted`'s business.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from routeiq_callbacks.config import (
    LANGFUSE_CLOUD,
    AnyTarget,
    CallbacksConfig,
    DatadogTarget,
    GcsTarget,
    LangfuseTarget,
    Outcomes,
    S3Target,
    WebhookTarget,
)
from routeiq_sdk import PluginError, Secret

Environment = Mapping[str, str]
Make = Callable[[CallbacksConfig, Environment, Outcomes], AnyTarget]
T = TypeVar("T", LangfuseTarget, WebhookTarget, S3Target, GcsTarget, DatadogTarget)

_EVENTS: Mapping[frozenset[str], Outcomes] = {
    frozenset({"llm_api_success"}): "success",
    frozenset({"llm_api_failure"}): "failure",
}


def _langfuse(config: CallbacksConfig, environment: Environment, on: Outcomes) -> AnyTarget:
    return made(
        LangfuseTarget,
        "langfuse",
        on=on,
        public_key=_needed(environment, "LANGFUSE_PUBLIC_KEY", "langfuse"),
        secret_key=_needed(environment, "LANGFUSE_SECRET_KEY", "langfuse"),
        **of_every_langfuse(config, environment),
    )


def of_every_langfuse(config: CallbacksConfig, environment: Environment) -> dict[str, Any]:
    """What all Langfuse projects have that LiteLLM's keys name."""
    return {
        "host": environment.get("LANGFUSE_HOST") or environment.get("LANGFUSE_BASE_URL") or LANGFUSE_CLOUD,
        "default_tags": config.langfuse_default_tags,
        "environment": environment.get("LANGFUSE_TRACING_ENVIRONMENT") or None,
        "release": environment.get("LANGFUSE_RELEASE") or None,
    }


def _webhook(config: CallbacksConfig, environment: Environment, on: Outcomes) -> AnyTarget:
    return made(
        WebhookTarget,
        "generic_api",
        on=on,
        url=_needed(environment, "GENERIC_LOGGER_ENDPOINT", "generic_api").reveal(),
        headers=_generic_headers(config, environment),
    )


def named_webhook(name: str, config: CallbacksConfig, environment: Environment, on: Outcomes) -> AnyTarget:
    """A webhook of the operator's own name, from `callback_settings`."""
    settings: Mapping[str, Any] = config.callback_settings[name]
    where = f"callback_settings.{name}"
    if not settings.get("endpoint"):
        raise PluginError("callbacks", f"{where} has no endpoint", mend="write the address there")
    events = frozenset(settings.get("event_types") or ())
    headers = {str(header): secret(value) for header, value in (settings.get("headers") or {}).items()}
    return made(
        WebhookTarget,
        where,
        on=_EVENTS.get(events, on),
        url=settings["endpoint"],
        headers={**_generic_headers(config, environment), **headers},
        log_format=settings.get("log_format") or "json_array",
    )


def _generic_headers(config: CallbacksConfig, environment: Environment) -> dict[str, Secret]:
    written = environment.get("GENERIC_LOGGER_HEADERS", "")
    if written.lstrip().startswith("{"):
        try:
            pairs = {str(name): str(value) for name, value in json.loads(written).items()}
        except ValueError:
            mend = "write name=value,name=value"
            raise PluginError("callbacks", "GENERIC_LOGGER_HEADERS is neither JSON nor pairs", mend=mend) from None
    else:
        split = (pair.partition("=") for pair in written.split(",") if "=" in pair)
        pairs = {name.strip(): value.strip() for name, _, value in split}
    return {**{name: Secret(value) for name, value in pairs.items()}, **config.generic_logger_headers}


def _s3(config: CallbacksConfig, environment: Environment, on: Outcomes) -> AnyTarget:
    params = config.s3_callback_params
    if not params.get("s3_bucket_name"):
        raise PluginError(
            "callbacks",
            "the callback s3 needs litellm_settings.s3_callback_params.s3_bucket_name",
            mend="write the bucket's name there",
        )
    return made(
        S3Target,
        "litellm_settings.s3_callback_params",
        on=on,
        bucket=params["s3_bucket_name"],
        path=params.get("s3_path") or "",
        team_prefix=params.get("s3_use_team_prefix") or False,
        key_prefix=params.get("s3_use_key_prefix") or False,
        region=params.get("s3_region_name") or environment.get("AWS_REGION") or "us-east-1",
        endpoint_url=params.get("s3_endpoint_url"),
        access_key_id=secret(params.get("s3_aws_access_key_id")),
        secret_access_key=secret(params.get("s3_aws_secret_access_key")),
        session_token=secret(params.get("s3_aws_session_token")),
        server_side_encryption=params.get("s3_server_side_encryption"),
        kms_key=params.get("s3_sse_kms_key_id"),
    )


def _gcs(config: CallbacksConfig, environment: Environment, on: Outcomes) -> AnyTarget:
    return made(
        GcsTarget,
        "gcs_bucket",
        on=on,
        bucket=_needed(environment, "GCS_BUCKET_NAME", "gcs_bucket").reveal(),
        service_account=_needed(environment, "GCS_PATH_SERVICE_ACCOUNT", "gcs_bucket").reveal(),
    )


def _datadog(config: CallbacksConfig, environment: Environment, on: Outcomes) -> AnyTarget:
    agent = environment.get("LITELLM_DD_AGENT_HOST")
    url = environment.get("DD_BASE_URL")
    if agent and not url:
        url = f"http://{agent}:{environment.get('LITELLM_DD_AGENT_PORT') or '10518'}"
    key = environment.get("DD_API_KEY")
    facts = (("env", "DD_ENV"), ("version", "DD_VERSION"), ("pod_name", "POD_NAME"))
    return made(
        DatadogTarget,
        "datadog",
        on=on,
        api_key=Secret(key) if agent and key else None if agent else _needed(environment, "DD_API_KEY", "datadog"),
        site=environment.get("DD_SITE") or "datadoghq.com",
        url=url or None,
        source=environment.get("DD_SOURCE") or "routeiq",
        service=environment.get("DD_SERVICE") or "routeiq",
        hostname=environment.get("HOSTNAME") or None,
        tags=tuple(f"{name}:{environment[variable]}" for name, variable in facts if environment.get(variable)),
    )


BY_NAME: Mapping[str, Make] = {
    "langfuse": _langfuse,
    "generic": _webhook,
    "generic_api": _webhook,
    "webhook": _webhook,
    "s3": _s3,
    "s3_v2": _s3,
    "gcs_bucket": _gcs,
    "datadog": _datadog,
}


def made(kind: type[T], where: str, **fields: Any) -> T:
    """A target with these settings. Raises `PluginError` that names `where` they were written."""
    try:
        return kind(**fields)
    except ValidationError as error:
        details = error.errors(include_input=False, include_url=False)
        wrong = "; ".join(f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in details)
        raise PluginError("callbacks", f"{where} cannot be used: {wrong}") from None


def secret(value: Any) -> Secret | None:
    """A setting that the core may or may not have wrapped already."""
    return value if isinstance(value, Secret) or value is None else Secret(str(value))


class Unset(PluginError):
    """A callback is named whose environment variable is not set. LiteLLM starts all the same, and so do we, aloud."""


def _needed(environment: Environment, name: str, callback: str) -> Secret:
    value = environment.get(name)
    if not value:
        raise Unset(
            "callbacks",
            f"the callback {callback} needs the environment variable {name}",
            mend="set it, take the callback out, or configure it under routeiq.plugins.callbacks.targets",
        )
    return Secret(value)
