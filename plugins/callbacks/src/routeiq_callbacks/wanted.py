"""Which targets a configuration asks for: its own, and those behind LiteLLM's names and environment variables.

Telling them is `targets`' business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from routeiq_callbacks.by_name import BY_NAME, Environment, Unset, made, named_webhook, of_every_langfuse, secret
from routeiq_callbacks.config import AnyTarget, CallbacksConfig, LangfuseTarget, Outcomes
from routeiq_sdk import PluginError

_S3_KNOWN = frozenset(
    f"s3_{name}"
    for name in (
        *("bucket_name", "path", "region_name", "endpoint_url", "use_team_prefix", "use_key_prefix"),
        *("aws_access_key_id", "aws_secret_access_key", "aws_session_token"),
        *("server_side_encryption", "sse_kms_key_id"),
    )
)


def wanted(config: CallbacksConfig, environment: Environment, unset: list[str] | None = None) -> tuple[AnyTarget, ...]:
    """The targets in their order. Raises `PluginError` for a name whose settings are missing or wrong; with `unset`,
    names whose environment variables are missing are left out and told there."""
    found: list[AnyTarget] = list(config.targets)
    for name, on in _names(config).items():
        if _is_webhook(config.callback_settings.get(name)):
            one: AnyTarget = named_webhook(name, config, environment, on)
        else:
            try:
                one = BY_NAME[name](config, environment, on)
            except Unset as error:
                if unset is None:
                    raise
                unset.append(str(error))
                continue
        if one not in found:
            found.append(one)
    for number, row in enumerate(config.default_team_settings):
        found += _of_team(row, number, config, environment)
    return tuple(found)


def without_effect(config: CallbacksConfig) -> list[str]:
    """Settings that are written and change nothing here, for a word at the start."""
    return [f"s3_callback_params.{name}" for name in config.s3_callback_params if name not in _S3_KNOWN]


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
            if name in BY_NAME or _is_webhook(config.callback_settings.get(name)):
                found[name] = on if found.get(name, on) == on else "all"
    return found


def _is_webhook(settings: Any) -> bool:
    return isinstance(settings, Mapping) and settings.get("callback_type") == "generic_api"


def _of_team(
    row: Mapping[str, Any], number: int, config: CallbacksConfig, environment: Environment
) -> Iterator[AnyTarget]:
    """The Langfuse project that a row of `default_team_settings` gives its team."""
    where = f"litellm_settings.default_team_settings[{number}]"
    team = row.get("team_id")
    if not isinstance(team, str) or not team:
        raise PluginError("callbacks", f"{where} names no team", mend="write team_id")
    told: dict[str, bool] = {
        outcome: "langfuse" in (row.get(f"{outcome}_callback") or ()) for outcome in ("success", "failure")
    }
    if not any(told.values()):
        return
    public_key, secret_key = (
        row.get("langfuse_public_key"),
        row.get("langfuse_secret_key") or row.get("langfuse_secret"),
    )
    if not public_key or not secret_key:
        raise PluginError(
            "callbacks", f"{where} lacks a Langfuse key", mend="write langfuse_public_key and langfuse_secret"
        )
    options = of_every_langfuse(config, environment)
    if row.get("langfuse_host"):
        options["host"] = row["langfuse_host"]
    yield made(
        LangfuseTarget,
        where,
        on="all" if all(told.values()) else "success" if told["success"] else "failure",
        teams=(team,),
        public_key=secret(public_key),
        secret_key=secret(secret_key),
        **options,
    )
