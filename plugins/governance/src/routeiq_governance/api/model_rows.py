"""Models as LiteLLM's clients read them: rows of `model_list` with what they cost, and groups of them.

Which rows a caller sees is decided in `model_reading`. Secrets are masked before they get here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from routeiq_governance.api.shapes import iso_or_none
from routeiq_governance.catalog.masking import address, masked, shown_params
from routeiq_governance.catalog.stored import AddedModel
from routeiq_sdk import Deployment, ModelGroup, Price

_GATEWAY = ("api_version", "cooldown_time", "drop_params", "mock_response", "num_retries", "organization")
"""What the gateway itself puts into a deployment's `info`: parameters, not facts about the model."""
_NANO = 10**9


def added_row(model: AddedModel) -> dict[str, Any]:
    """What an added model's writes answer, secrets masked."""
    return {
        "model_id": model.id,
        "model_name": model.public_name,
        "litellm_params": shown_params(model.params),
        "model_info": _added_info(model),
        "blocked": model.blocked,
        "created_at": iso_or_none(model.created_at),
        "created_by": model.created_by,
        "updated_at": iso_or_none(model.updated_at),
        "updated_by": model.updated_by,
    }


def info_row(deployment: Deployment | None, model: AddedModel | None, *, whole: bool) -> dict[str, Any]:
    """One row of `/model/info`: a deployment that is served, an added model, or both. `whole` shows parameters beyond
    the model's name."""
    info: dict[str, Any] = {}
    params: dict[str, Any] = {}
    name = ""
    if deployment is not None:
        name = deployment.group
        info = _facts(deployment)
        params = _params(deployment)
    if model is not None:
        name = model.public_name
        info = {**info, **_added_info(model), "created_at": iso_or_none(model.created_at)}
        info |= {"created_by": model.created_by, "updated_at": iso_or_none(model.updated_at)}
        params = shown_params(model.params)
    if not whole:
        params = {"model": params["model"]}
    return {"model_name": name, "litellm_params": params, "model_info": info}


def group_row(group: ModelGroup, name: str) -> dict[str, Any]:
    """One row of `/model_group/info`."""
    rows = group.deployments
    price = group.price
    able = {word: any(row.abilities.get(word) for row in rows) for word in ("tools", "vision", "json", "reasoning")}
    return {
        "model_group": name,
        "providers": sorted({row.provider for row in rows}),
        "max_input_tokens": min((row.max_input_tokens for row in rows if row.max_input_tokens), default=None),
        "max_output_tokens": min(
            (row.info["max_output_tokens"] for row in rows if isinstance(row.info.get("max_output_tokens"), int)),
            default=None,
        ),
        "input_cost_per_token": _rate(price, "input"),
        "output_cost_per_token": _rate(price, "output"),
        "mode": rows[0].mode if rows else None,
        "tpm": _sum([row.tpm for row in rows]),
        "rpm": _sum([row.rpm for row in rows]),
        "supports_function_calling": able["tools"],
        "supports_parallel_function_calling": able["tools"],
        "supports_vision": able["vision"],
        "supports_response_schema": able["json"],
        "supports_reasoning": able["reasoning"],
        "supported_openai_params": [],
    }


def _added_info(model: AddedModel) -> dict[str, Any]:
    return {
        **model.info,
        "id": model.id,
        "db_model": True,
        "team_id": model.team_id,
        "blocked": model.blocked,
    }


def _facts(row: Deployment) -> dict[str, Any]:
    kept = {name: value for name, value in row.info.items() if name not in _GATEWAY}
    return {
        **kept,
        "id": row.id,
        "db_model": False,
        "key": row.model,
        "litellm_provider": row.provider,
        "mode": row.mode,
        "max_input_tokens": row.max_input_tokens,
        "input_cost_per_token": _rate(row.price, "input"),
        "output_cost_per_token": _rate(row.price, "output"),
        "cache_read_input_token_cost": _rate(row.price, "cached"),
        "cache_creation_input_token_cost": _rate(row.price, "cache_write"),
        "supports_function_calling": row.abilities.get("tools"),
        "supports_vision": row.abilities.get("vision"),
        "supports_response_schema": row.abilities.get("json"),
        "blocked": False,
    }


def _params(row: Deployment) -> dict[str, Any]:
    """The parameters of a row of the YAML, as far as a deployment tells them."""
    found: dict[str, Any] = {
        "model": f"{row.provider}/{row.model}",
        "api_base": address(row.api_base) if row.api_base else None,
        "api_key": masked(row.api_key.reveal()) if row.api_key is not None else None,
        "api_version": row.info.get("api_version"),
        "organization": row.info.get("organization"),
        "region_name": row.region,
        "rpm": row.rpm,
        "tpm": row.tpm,
        "weight": row.weight,
        "order": row.order,
        "timeout": row.timeout,
        "stream_timeout": row.stream_timeout,
        "max_parallel_requests": row.max_parallel_requests,
        "tags": sorted(row.tags),
        "extra_headers": dict.fromkeys(row.headers, "****"),
        **shown_params(row.params),
    }
    return {name: value for name, value in found.items() if value is not None and value not in ([], {})}


def _rate(price: Price | None, name: str) -> float | None:
    """US dollars a token."""
    if price is None:
        return None
    rate: int = getattr(price, name)
    return float(Decimal(rate) / price.scale / _NANO)


def _sum(limits: Sequence[int | None]) -> int | None:
    known = [limit for limit in limits if limit is not None]
    return sum(known) if known else None


def columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """What rows may be sorted by."""
    info = row["model_info"]
    return {
        "model_name": row["model_name"].lower(),
        "created_at": info.get("created_at") or "",
        "updated_at": info.get("updated_at") or "",
        "costs": info.get("input_cost_per_token") or 0.0,
        "status": bool(info.get("db_model")),
    }
