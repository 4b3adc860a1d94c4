"""Models as LiteLLM's clients read them: what is served now, without any secret.

Changing models is in `models`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from routeiq_governance.identity.durations import NANO
from routeiq_sdk import Deployment, ModelGroup, Price, Secret

_SECRET = ("key", "secret", "token", "password", "credential", "authorization")
MASK = "********"


def info_row(deployment: Deployment) -> dict[str, Any]:
    """One deployment, as `/model/info` shows it."""
    provider = deployment.provider
    model = deployment.model if deployment.model.startswith(f"{provider}/") else f"{provider}/{deployment.model}"
    params: dict[str, Any] = {"model": model, "custom_llm_provider": provider}
    if deployment.api_base is not None:
        params["api_base"] = deployment.api_base.partition("?")[0]
    for name in ("rpm", "tpm", "weight", "order", "timeout", "stream_timeout", "max_parallel_requests"):
        if getattr(deployment, name) is not None:
            params[name] = getattr(deployment, name)
    params |= {name: shown(name, value) for name, value in deployment.params.items()}
    info = {name: shown(name, value) for name, value in deployment.info.items()}
    return {
        "model_name": deployment.group,
        "litellm_params": params,
        "model_info": {
            **info,
            "id": deployment.id,
            "db_model": bool(deployment.info.get("db_model")),
            "mode": deployment.mode,
            "max_input_tokens": deployment.max_input_tokens,
            **_costs(deployment.price),
            "supports_function_calling": deployment.abilities.get("tools"),
            "supports_vision": deployment.abilities.get("vision"),
        },
    }


def group_row(group: ModelGroup) -> dict[str, Any]:
    """A model group, as `/model_group/info` shows it."""
    rows = group.deployments
    limits = [row.max_input_tokens for row in rows if row.max_input_tokens]
    return {
        "model_group": group.name,
        "providers": sorted({row.provider for row in rows}),
        "mode": rows[0].mode,
        "max_input_tokens": min(limits) if limits else None,
        "tpm": _sum(row.tpm for row in rows),
        "rpm": _sum(row.rpm for row in rows),
        **_costs(group.price),
        "supports_function_calling": any(row.abilities.get("tools") for row in rows),
        "supports_vision": any(row.abilities.get("vision") for row in rows),
    }


def shown(name: str, value: Any) -> Any:
    """A parameter without what must not be told."""
    if isinstance(value, Secret) or (isinstance(value, str) and any(word in name.lower() for word in _SECRET)):
        return MASK
    if isinstance(value, Mapping):
        return {key: shown(str(key), each) for key, each in value.items()}
    if isinstance(value, list | tuple | frozenset | set):
        return [shown(name, each) for each in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _costs(price: Price | None) -> dict[str, float | None]:
    if price is None:
        return {"input_cost_per_token": None, "output_cost_per_token": None}
    return {
        "input_cost_per_token": price.input / price.scale / NANO,
        "output_cost_per_token": price.output / price.scale / NANO,
    }


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
