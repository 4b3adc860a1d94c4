"""Which targets a configuration asks for: its own, and those behind LiteLLM's names and environment variables.

Telling them is `targets`' business.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from routeiq_callbacks.config import (
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

_Environment = Mapping[str, str]
_Make = Callable[[CallbacksConfig, _Environment, Outcomes], AnyTarget]


def wanted(config: CallbacksConfig, environment: _Environment) -> tuple[AnyTarget, ...]:
    """The targets in their order. Raises `PluginError` for a name whose settings are missing."""
    found: list[AnyTarget] = list(config.targets)
    for name, on in _names(config).items():
        made = _BY_NAME[name](config, environment, on)
        if made not in found:
            found.append(made)
    return tuple(found)


def _names(config: CallbacksConfig) -> dict[str, Outcomes]:
    """The names that are ours, each with the outcomes it is told."""
    found: dict[str, Outcomes] = {}
    lists: tuple[tuple[tuple[str, ...], Outcomes], ...] = (
        (config.callbacks, "all"),
        (config.success_callback, "success"),
        (config.failure_callback, "failure"),
    )
    for names, on in lists:
        for name in names:
            if name in _BY_NAME:
                found[name] = on if found.get(name, on) == on else "all"
    return found


def _langfuse(config: CallbacksConfig, environment: _Environment, on: Outcomes) -> AnyTarget:
    return LangfuseTarget(
        on=on,
        host=environment.get("LANGFUSE_HOST") or "https://cloud.langfuse.com",
        public_key=_needed(environment, "LANGFUSE_PUBLIC_KEY", "langfuse"),
        secret_key=_needed(environment, "LANGFUSE_SECRET_KEY", "langfuse"),
        tags=config.langfuse_default_tags,
    )


def _webhook(config: CallbacksConfig, environment: _Environment, on: Outcomes) -> AnyTarget:
    written = environment.get("GENERIC_LOGGER_HEADERS", "")
    return WebhookTarget(
        on=on,
        url=_needed(environment, "GENERIC_LOGGER_ENDPOINT", "generic_api").reveal(),
        headers={name: Secret(value) for name, value in _headers(written).items()},
    )


def _headers(written: str) -> dict[str, str]:
    """`a=b,c=d`, or a JSON object."""
    if written.lstrip().startswith("{"):
        return {str(name): str(value) for name, value in json.loads(written).items()}
    pairs = (pair.partition("=") for pair in written.split(",") if "=" in pair)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _s3(config: CallbacksConfig, environment: _Environment, on: Outcomes) -> AnyTarget:
    params = config.s3_callback_params
    bucket = params.get("s3_bucket_name")
    if not bucket:
        raise PluginError(
            "callbacks",
            "the callback s3 needs litellm_settings.s3_callback_params.s3_bucket_name",
            mend="write the bucket's name there",
        )

    def secret(name: str) -> Secret | None:
        value = params.get(name)
        return value if isinstance(value, Secret) or value is None else Secret(str(value))

    return S3Target(
        on=on,
        bucket=str(bucket),
        path=str(params.get("s3_path") or ""),
        region=str(params.get("s3_region_name") or environment.get("AWS_REGION") or "us-east-1"),
        endpoint_url=params.get("s3_endpoint_url"),
        access_key_id=secret("s3_aws_access_key_id"),
        secret_access_key=secret("s3_aws_secret_access_key"),
        session_token=secret("s3_aws_session_token"),
    )


def _gcs(config: CallbacksConfig, environment: _Environment, on: Outcomes) -> AnyTarget:
    return GcsTarget(
        on=on,
        bucket=_needed(environment, "GCS_BUCKET_NAME", "gcs_bucket").reveal(),
        service_account=_needed(environment, "GCS_PATH_SERVICE_ACCOUNT", "gcs_bucket").reveal(),
    )


def _datadog(config: CallbacksConfig, environment: _Environment, on: Outcomes) -> AnyTarget:
    return DatadogTarget(
        on=on,
        api_key=_needed(environment, "DD_API_KEY", "datadog"),
        site=environment.get("DD_SITE") or "datadoghq.com",
        url=environment.get("DD_BASE_URL"),
        service=environment.get("DD_SERVICE") or "routeiq",
    )


_BY_NAME: Mapping[str, _Make] = {
    "langfuse": _langfuse,
    "generic": _webhook,
    "generic_api": _webhook,
    "webhook": _webhook,
    "s3": _s3,
    "s3_v2": _s3,
    "gcs_bucket": _gcs,
    "datadog": _datadog,
}


def _needed(environment: _Environment, name: str, callback: str) -> Secret:
    value = environment.get(name)
    if not value:
        raise PluginError(
            "callbacks",
            f"the callback {callback} needs the environment variable {name}",
            mend="set it, take the callback out, or configure it under routeiq.plugins.callbacks.targets",
        )
    return Secret(value)
