"""From LiteLLM's settings to the rules of the road: retries, fallbacks, timeouts, benching.

The rules are applied in `routeiq.request`.
"""

from __future__ import annotations

from routeiq.config.model import Config
from routeiq.config.settings import AllowedFailsPolicy, RetryPolicy
from routeiq.request.cooldown import CooldownRules
from routeiq.request.plan import RoutingRules


def routing_rules(config: Config) -> RoutingRules:
    """Retries, fallbacks and timeouts."""
    router = config.router
    return RoutingRules(
        num_retries=router.num_retries,
        retry_after=router.retry_after,
        retry_policy=_counts(router.retry_policy),
        model_group_retry_policy={name: _counts(policy) for name, policy in router.model_group_retry_policy.items()},
        timeout=router.timeout,
        stream_timeout=router.stream_timeout,
        max_fallbacks=router.max_fallbacks,
        fallbacks=router.fallbacks,
        context_window_fallbacks=router.context_window_fallbacks,
        content_policy_fallbacks=router.content_policy_fallbacks,
        default_fallbacks=router.default_fallbacks,
        mock_for_all=config.routeiq.compat.allow_mock_requests,
    )


def cooldown_rules(config: Config) -> CooldownRules:
    """Benching. Without a written `allowed_fails` the rules by status and failure ratio hold."""
    router = config.router
    return CooldownRules(
        seconds=router.cooldown_time,
        disabled=router.disable_cooldowns,
        allowed_fails=router.allowed_fails if "allowed_fails" in router.model_fields_set else None,
        allowed_fails_policy=_counts(router.allowed_fails_policy),
    )


def _counts(policy: RetryPolicy | AllowedFailsPolicy | None) -> dict[str, int]:
    return policy.model_dump(exclude_none=True) if policy is not None else {}
