"""Limits that rows of `model_list` carry: of their deployment for everybody (`itpm`, `otpm`, `tpd`, `rpd`), and for
each key that has none of its own for the model (`default_api_key_rpm_limit`, `default_api_key_tpm_limit`).

A deployment at its limit is passed over: another one may serve the request.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from routeiq_governance.identity.caller import Caller
from routeiq_governance.quotas.entity_rules import DAY, MINUTE
from routeiq_governance.quotas.rule import Failure, Rule, Unit
from routeiq_governance.quotas.windows import Window
from routeiq_sdk import Deployment, ModelGroup

_OF_DEPLOYMENTS: tuple[tuple[str, Unit, Window], ...] = (
    ("itpm", "input_tokens", MINUTE),
    ("otpm", "output_tokens", MINUTE),
    ("tpd", "total_tokens", DAY),
    ("rpd", "requests", DAY),
)


def rules_of_deployment(deployment: Deployment, rates: Failure) -> list[Rule]:
    """What bounds a deployment, whoever calls. Tokens are looked at before a call and counted after it."""
    return [
        Rule(
            f"deployment:{deployment.id}:{name}",
            "deployment",
            deployment.id,
            unit,
            limit,
            window,
            checked=unit != "requests",
            deployment=deployment.id,
            on_store_failure=rates,
        )
        for name, unit, window in _OF_DEPLOYMENTS
        if (limit := _count(deployment.info.get(name))) is not None
    ]


def rules_of_keys(caller: Caller, group: ModelGroup, rates: Failure) -> Iterator[Rule]:
    """What a key may send to a model by default."""
    key = caller.entity("key")
    if key is None:
        return
    for name, kind, unit, own, general in (
        (
            "default_api_key_rpm_limit",
            "rpm",
            "requests",
            key.limits.model_requests_a_minute,
            key.limits.requests_a_minute,
        ),
        (
            "default_api_key_tpm_limit",
            "tpm",
            "total_tokens",
            key.limits.model_tokens_a_minute,
            key.limits.tokens_a_minute,
        ),
    ):
        told = [_count(deployment.info.get(name)) for deployment in group.deployments]
        known = [limit for limit in told if limit is not None]
        if not known or group.name in own or general is not None:
            continue
        yield Rule(
            f"key:{key.id}:{kind}:{group.name}",
            "api_key",
            key.id,
            unit,  # type: ignore[arg-type]
            min(known),
            MINUTE,
            checked=unit != "requests",
            model=group.name,
            on_store_failure=rates,
        )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
