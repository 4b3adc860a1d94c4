"""What the attempt loop may do for one request: targets in order, retries, timeouts, fallbacks.

Rules come from the configuration once a runtime; a plan is made from them for each request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from routeiq.errors import Errors
from routeiq.upstream.fields import REFUSED
from routeiq.wires.body import Body
from routeiq_sdk import Context, ModelGroup

MOCKS = {
    "mock_testing_fallbacks": "InternalServerError",
    "mock_testing_context_fallbacks": "ContextWindowExceededError",
    "mock_testing_content_policy_fallbacks": "ContentPolicyViolationError",
    "mock_testing_rate_limit_error": "RateLimitError",
}

_OVERRIDE = "router_settings_override"

FallbackMap = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class RoutingRules:
    """The part of `router_settings` and `litellm_settings` that steers attempts. Times are in seconds."""

    num_retries: int = 2
    retry_after: float = 0.0
    retry_policy: Mapping[str, int] = field(default_factory=dict)
    model_group_retry_policy: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    timeout: float = 6000.0
    stream_timeout: float | None = None
    max_fallbacks: int = 5
    fallbacks: FallbackMap = field(default_factory=dict)
    context_window_fallbacks: FallbackMap = field(default_factory=dict)
    content_policy_fallbacks: FallbackMap = field(default_factory=dict)
    default_fallbacks: Sequence[Any] = ()
    mock_for_all: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The attempt loop's orders for one request. `ranked` are the targets, best first."""

    ranked: tuple[ModelGroup, ...]
    rules: RoutingRules
    num_retries: int
    told_timeout: float | None
    told_stream_timeout: float | None
    client_fallbacks: tuple[Any, ...]
    overrides: Mapping[str, FallbackMap]
    mock: str | None = None
    mock_response: str | None = None
    told_retries: bool = False

    def retries(self, group: str, failure: str, own: int | None = None) -> int:
        """How many more calls a group may get after this class of failure. `own` is what the deployment's row says;
        a policy and the client's word go before it."""
        policy = self.rules.model_group_retry_policy.get(group, self.rules.retry_policy)
        kind = "TimeoutError" if failure == "Timeout" else failure
        told = policy.get(kind + "Retries", policy.get("DefaultRetries"))
        if told is not None:
            return told
        return own if own is not None and not self.told_retries else self.num_retries

    def timeout(self, deployment_timeout: float | None, deployment_stream: float | None, stream: bool) -> float:
        """Seconds for one call: the client's word, the deployment's, the router's."""
        if stream:
            for seconds in (self.told_stream_timeout, deployment_stream, self.rules.stream_timeout):
                if seconds is not None:
                    return seconds
        for seconds in (self.told_timeout, deployment_timeout):
            if seconds is not None:
                return seconds
        return self.rules.timeout

    def fallbacks(self, group: str, failure: str) -> tuple[Any, ...]:
        """Where to go when a group failed in this way: names, or objects with `model` and fields to change."""
        if failure == "ContextWindowExceededError":
            special = self._map("context_window_fallbacks").get(group)
            if special:
                return tuple(special)
        elif failure == "ContentPolicyViolationError":
            special = self._map("content_policy_fallbacks").get(group)
            if special:
                return tuple(special)
        if self.client_fallbacks:
            return self.client_fallbacks
        plain = self._map("fallbacks")
        return tuple(plain.get(group) or plain.get("*") or self.rules.default_fallbacks)

    def _map(self, name: str) -> FallbackMap:
        told = self.overrides.get(name)
        return told if told is not None else getattr(self.rules, name)


def make_plan(ctx: Context, body: Body, ranked: tuple[ModelGroup, ...], rules: RoutingRules, errors: Errors) -> Plan:
    """The plan of one request from the rules, its headers and its body. Raises `RequestError` on wrong types."""
    override = _override(body, errors)
    retries = _number(ctx, body, "num_retries", "x-litellm-num-retries", errors)
    if retries is None:
        retries = _checked_number(override.get("num_retries"), f"{_OVERRIDE}.num_retries", errors)
    mock, canned = _mock(ctx, body, rules)
    return Plan(
        ranked=ranked,
        rules=rules,
        num_retries=rules.num_retries if retries is None else max(0, min(int(retries), 10)),
        told_timeout=_number(ctx, body, "timeout", "x-litellm-timeout", errors),
        told_stream_timeout=_number(ctx, body, "stream_timeout", "x-litellm-stream-timeout", errors),
        client_fallbacks=_client_fallbacks(body, errors),
        overrides=_maps(override, errors),
        mock=mock,
        mock_response=canned,
        told_retries=retries is not None,
    )


def _override(body: Body, errors: Errors) -> Mapping[str, Any]:
    told = body.param(_OVERRIDE) if _OVERRIDE in body.fields else None
    if told is None:
        return {}
    if not isinstance(told, dict):
        raise errors.wrong_type(_OVERRIDE, "an object")
    return told


def _maps(override: Mapping[str, Any], errors: Errors) -> dict[str, FallbackMap]:
    names = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
    return {
        name: _fallback_map(override[name], f"{_OVERRIDE}.{name}", errors)
        for name in names
        if override.get(name) is not None
    }


def _fallback_map(value: Any, field: str, errors: Errors) -> dict[str, list[Any]]:
    """LiteLLM's list of one-entry mappings, or one mapping, of names to lists."""
    found: dict[str, list[Any]] = {}
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, dict) or not all(isinstance(targets, list) for targets in item.values()):
            raise errors.wrong_type(field, "a list of objects from a model to a list of models")
        for name, targets in item.items():
            found[name] = _targets(targets, field, errors)
    return found


def _targets(value: list[Any], field: str, errors: Errors) -> list[Any]:
    """Fallbacks as clients write them: names, or objects with `model` and fields to change."""
    for item in value:
        if isinstance(item, dict):
            for name in sorted(REFUSED & item.keys()):
                raise errors.refused_field(name)
        elif not isinstance(item, str):
            raise errors.wrong_type(field, "a list of model names or objects")
    return value


def _number(ctx: Context, body: Body, field: str, header: str, errors: Errors) -> float | None:
    told = ctx.headers.get(header)
    if told is not None:
        try:
            value = float(told)
        except ValueError:
            raise errors.wrong_type(header, "a number") from None
        return _checked_number(value, header, errors)
    return _checked_number(body.param(field), field, errors) if field in body.fields else None


def _checked_number(value: Any, field: str, errors: Errors) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise errors.wrong_type(field, "a number")
    if not 0 <= value < float("inf"):
        raise errors.wrong_type(field, "a number that is not negative")
    return value


def _client_fallbacks(body: Body, errors: Errors) -> tuple[Any, ...]:
    if "fallbacks" not in body.fields:
        return ()
    told = body.param("fallbacks")
    if told is None:
        return ()
    if not isinstance(told, list):
        raise errors.wrong_type("fallbacks", "a list of model names or objects")
    return tuple(_targets(told, "fallbacks", errors))


def _mock(ctx: Context, body: Body, rules: RoutingRules) -> tuple[str | None, str | None]:
    if not (rules.mock_for_all or (ctx.identified is not None and ctx.identified.is_admin)):
        return None, None  # stricter than LiteLLM: a test switch is no way to spare oneself a model's cost
    canned = body.param("mock_response") if "mock_response" in body.fields else None
    for switch, failure in MOCKS.items():
        if switch in body.fields and body.param(switch) is True:
            return failure, canned if isinstance(canned, str) else None
    if "mock_timeout" in body.fields and body.param("mock_timeout"):
        return "Timeout", None
    return None, canned if isinstance(canned, str) else None
