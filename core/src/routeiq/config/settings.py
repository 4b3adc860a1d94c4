"""LiteLLM's `router_settings`, `litellm_settings` and `general_settings`, typed where the core acts on them.

Keys without a type are kept as written; which of them need a plugin is `classify`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from routeiq.config.validation import Open, Strict
from routeiq_sdk import Secret

DEFAULT_RETRIES = 2
DEFAULT_TIMEOUT = 6000.0
DEFAULT_MAX_FALLBACKS = 5
DEFAULT_ALLOWED_FAILS = 3
DEFAULT_COOLDOWN = 5.0

Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]


def _joined(value: Any) -> Any:
    """LiteLLM writes a mapping of fallbacks as a list of mappings."""
    if not isinstance(value, list):
        return value
    joined: dict[str, Any] = {}
    for item in value:
        if not isinstance(item, Mapping):
            raise ValueError("should be a list like [{a-model: [another-model]}]")
        for name, targets in item.items():
            if name in joined:
                raise ValueError(f"lists {name!r} twice")
            joined[name] = [targets] if isinstance(targets, str) else targets
    return joined


def _alias(value: Any) -> Any:
    return {"model": value} if isinstance(value, str) else value


_TARGETS = {"type": "object", "additionalProperties": {"type": ["string", "array"], "items": {"type": "string"}}}
Fallbacks = Annotated[
    Mapping[str, tuple[str, ...]],
    BeforeValidator(_joined),
    WithJsonSchema({"type": "array", "items": _TARGETS}),
]


class Alias(Strict):
    """Another name of a model group."""

    model: str = Field(description="The group it stands for.")
    hidden: bool = Field(False, description="Whether it is left out of lists of models.")


AliasOrName = Annotated[
    Alias,
    BeforeValidator(_alias),
    WithJsonSchema({"anyOf": [{"type": "string"}, Alias.model_json_schema()]}),
]


class RetryPolicy(Strict):
    """Retries by class of failure; an absent class takes the default."""

    BadRequestErrorRetries: Count | None = Field(None, description="After 400.")
    AuthenticationErrorRetries: Count | None = Field(None, description="After 401.")
    TimeoutErrorRetries: Count | None = Field(None, description="After 408 or no answer in time.")
    RateLimitErrorRetries: Count | None = Field(None, description="After 429.")
    ContentPolicyViolationErrorRetries: Count | None = Field(None, description="After a refusal of the content.")
    InternalServerErrorRetries: Count | None = Field(None, description="After 500.")
    ServiceUnavailableErrorRetries: Count | None = Field(None, description="After 503.")
    NotFoundErrorRetries: Count | None = Field(None, description="After 404.")
    DefaultRetries: Count | None = Field(None, description="After anything else.")


class AllowedFailsPolicy(Strict):
    """Failures a minute by class before a deployment is benched."""

    BadRequestErrorAllowedFails: Count | None = Field(None, description="Of 400.")
    AuthenticationErrorAllowedFails: Count | None = Field(None, description="Of 401.")
    TimeoutErrorAllowedFails: Count | None = Field(None, description="Of 408 or no answer in time.")
    RateLimitErrorAllowedFails: Count | None = Field(None, description="Of 429.")
    ContentPolicyViolationErrorAllowedFails: Count | None = Field(None, description="Of refusals of the content.")
    InternalServerErrorAllowedFails: Count | None = Field(None, description="Of 500.")
    ServiceUnavailableErrorAllowedFails: Count | None = Field(None, description="Of 503.")
    BadGatewayErrorAllowedFails: Count | None = Field(None, description="Of 502.")
    NotFoundErrorAllowedFails: Count | None = Field(None, description="Of 404.")


class LitellmSettings(Open):
    """`litellm_settings`. Where `router_settings` has the same key, that one counts."""

    drop_params: bool = Field(False, description="Drop parameters that the provider refuses.")
    num_retries: Count | None = Field(None, description="Retries of a call.")
    request_timeout: Seconds | None = Field(None, description="Seconds a call may take.")
    fallbacks: Fallbacks | None = Field(None, description="Groups to try when a group fails.")
    default_fallbacks: tuple[str, ...] | None = Field(None, description="Groups to try when any group fails.")
    context_window_fallbacks: Fallbacks | None = Field(None, description="Groups to try when a prompt is too long.")
    content_policy_fallbacks: Fallbacks | None = Field(None, description="Groups to try when content is refused.")
    max_fallbacks: Count | None = Field(None, description="Most fallbacks of one request.")
    allowed_fails: Count | None = Field(None, description="Failures a minute before a deployment is benched.")
    cooldown_time: Annotated[float, Field(ge=0)] | None = Field(None, description="Seconds on the bench.")
    model_alias_map: Mapping[str, str] = Field(default_factory=dict, description="Other names of model groups.")
    turn_off_message_logging: bool = Field(False, description="The core logs no message bodies either way.")
    json_logs: bool = Field(False, description="Log JSON.")
    set_verbose: bool = Field(False, description="Log more.")
    ssl_verify: bool | str = Field(True, description="Check certificates of providers; or a file of authorities.")


class RouterSettings(Open):
    """`router_settings`, with what `litellm_settings` says where this says nothing, and the defaults."""

    routing_strategy: str = Field("simple-shuffle", description="How a deployment of a group is chosen.")
    num_retries: Count = Field(DEFAULT_RETRIES, description="Retries of a call within its group.")
    retry_after: Annotated[float, Field(ge=0)] = Field(0.0, description="Least seconds before a retry.")
    timeout: Seconds = Field(DEFAULT_TIMEOUT, description="Seconds a call may take.")
    stream_timeout: Seconds | None = Field(None, description="Seconds a stream may take to its first chunk.")
    retry_policy: RetryPolicy | None = Field(None, description="Retries by class of failure.")
    model_group_retry_policy: Mapping[str, RetryPolicy] = Field(
        default_factory=dict, description="Retries by class of failure, by model group."
    )
    allowed_fails: Count = Field(DEFAULT_ALLOWED_FAILS, description="Failures a minute before a deployment is benched.")
    allowed_fails_policy: AllowedFailsPolicy | None = Field(None, description="Allowed failures by class.")
    cooldown_time: Annotated[float, Field(ge=0)] = Field(DEFAULT_COOLDOWN, description="Seconds on the bench.")
    disable_cooldowns: bool = Field(False, description="Never bench a deployment.")
    max_fallbacks: Count = Field(DEFAULT_MAX_FALLBACKS, description="Most fallbacks of one request.")
    fallbacks: Fallbacks = Field(default_factory=dict, description="Groups to try when a group fails.")
    default_fallbacks: tuple[str, ...] = Field((), description="Groups to try when any group fails.")
    context_window_fallbacks: Fallbacks = Field(
        default_factory=dict, description="Groups to try when a prompt is too long."
    )
    content_policy_fallbacks: Fallbacks = Field(
        default_factory=dict, description="Groups to try when a provider refuses the content."
    )
    default_litellm_params: Mapping[str, Any] = Field(
        default_factory=dict, description="Parameters of every row that has not its own."
    )
    model_group_alias: Mapping[str, AliasOrName] = Field(
        default_factory=dict, description="Other names of model groups: a name, or {model, hidden}."
    )
    set_verbose: bool = Field(False, description="Log more.")


class GeneralSettings(Open):
    """`general_settings`."""

    master_key: Secret | None = Field(None, description="The key of the proxy admin.")
    max_request_size_mb: Annotated[float, Field(gt=0)] | None = Field(None, description="Largest request body, MiB.")
    litellm_key_header_name: str | None = Field(None, description="A header in which clients send their key.")


_SHARED = {
    "num_retries": "num_retries",
    "timeout": "request_timeout",
    "fallbacks": "fallbacks",
    "default_fallbacks": "default_fallbacks",
    "context_window_fallbacks": "context_window_fallbacks",
    "content_policy_fallbacks": "content_policy_fallbacks",
    "max_fallbacks": "max_fallbacks",
    "allowed_fails": "allowed_fails",
    "cooldown_time": "cooldown_time",
}


def effective_router(router: RouterSettings, litellm: LitellmSettings) -> RouterSettings:
    """Router settings in which `litellm_settings` fills what was not written."""
    fill: dict[str, Any] = {
        ours: getattr(litellm, theirs)
        for ours, theirs in _SHARED.items()
        if ours not in router.model_fields_set and getattr(litellm, theirs) is not None
    }
    aliases = {name: Alias(model=target, hidden=False) for name, target in litellm.model_alias_map.items()}
    if aliases:
        fill["model_group_alias"] = {**aliases, **router.model_group_alias}
    return router.model_copy(update=fill) if fill else router
