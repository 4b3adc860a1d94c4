"""From a row of `model_list` to a deployment that can be called.

Groups and names are in `groups`, prices in `prices`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from routeiq.catalog.gateway_keys import GATEWAY, PROVIDER_SDK, matches
from routeiq.catalog.price_map import abilities
from routeiq.catalog.prices import PriceBook
from routeiq.catalog.providers import FOREIGN, NATIVE, Provider, split_model
from routeiq.config.rows import LitellmParams, ModelRow
from routeiq_sdk import Deployment, Secret

_FOR_PLUGINS = (
    "budget_duration",
    "default_api_key_rpm_limit",
    "default_api_key_tpm_limit",
    "itpm",
    "max_budget",
    "otpm",
    "rpd",
    "tag_regex",
    "tpd",
)
"""Keys of a row that speak to plugins; they find them in `Deployment.info`."""
_NOT_NATIVE = (*GATEWAY, *PROVIDER_SDK)


def provider_of(params: LitellmParams) -> tuple[str, str, Provider | None]:
    """Provider, the provider's model name, and how it is reached natively (`None`: through litellm)."""
    provider, model = split_model(params.model, params.custom_llm_provider)
    return provider, model, NATIVE.get(provider)


def base_url(params: LitellmParams) -> str | None:
    """Where a native deployment is called; `None` when nobody says."""
    written = params.api_base or params.extras.get("base_url")
    if isinstance(written, str):
        return written.rstrip("/")
    native = provider_of(params)[2]
    return native.base_url if native is not None else None


def addresses(deployment: Deployment) -> set[str]:
    """Every address that the operator wrote on a row: its base, and endpoints among a provider's own settings."""
    written = [deployment.api_base, *deployment.params.values()]
    return {value for value in written if isinstance(value, str) and value.startswith(("http://", "https://"))}


def deployment_of(
    row: ModelRow,
    prices: PriceBook,
    environment: Mapping[str, str],
    *,
    drop_params: bool = False,
    foreign: Collection[str] = (),
) -> Deployment:
    """The deployment of a row. Its price is `None` when neither the row nor the price book knows one; `drop_params` is
    what rows without a word of their own get, `foreign` the providers that plugins serve."""
    params, info = row.litellm_params, row.model_info
    provider, model, native = provider_of(params)
    others = FOREIGN + provider if provider in foreign else "litellm"
    facts = prices.facts(provider, info.base_model or model)
    key = params.api_key
    # The gateway's own key goes to an address of the operator's, or to the provider's.
    elsewhere = row.added and (params.api_base or params.extras.get("base_url")) is not None
    if key is None and not elsewhere and native is not None and native.key_variable:
        told = environment.get(native.key_variable) or os.environ.get(native.key_variable)
        key = Secret(told) if told else None
    extras = dict(params.extras)
    passed = extras
    if native is not None:
        passed = {n: v for n, v in extras.items() if not matches(n, _NOT_NATIVE) and not isinstance(v, Secret)}
    if params.extra_body:
        passed["extra_body"] = dict(params.extra_body)
    limit = info.extras.get("max_input_tokens")
    return Deployment(
        id=info.id or _derived_id(row),
        group=row.model_name,
        provider=provider,
        model=model,
        wire="mock" if params.mock_response is not None else native.wire if native is not None else others,
        api_base=base_url(params),
        api_key=key,
        mode=info.mode or (facts.mode if facts is not None and facts.mode else "chat"),
        weight=params.weight,
        order=params.order,
        rpm=params.rpm,
        tpm=params.tpm,
        tags=frozenset(params.tags),
        guardrails=frozenset(row.guardrails),
        region=extras.get("region_name"),
        max_input_tokens=limit if isinstance(limit, int) else facts.max_input_tokens if facts is not None else None,
        timeout=params.timeout,
        stream_timeout=params.stream_timeout,
        max_parallel_requests=extras.get("max_parallel_requests"),
        price=prices.price(provider, info.base_model or model, _price_overrides(row)),
        headers={n: v.reveal() for n, v in {**params.headers, **params.extra_headers}.items()},
        params=passed,
        info={
            **({"max_output_tokens": facts.max_output_tokens} if facts is not None else {}),
            **info.extras,
            "team_id": info.team_id,
            "team_public_model_name": info.team_public_model_name,
            "access_groups": list(info.access_groups),
            **{name: extras[name] for name in _FOR_PLUGINS if name in extras},
            "api_version": params.api_version,
            "cooldown_time": params.cooldown_time,
            "drop_params": drop_params if params.drop_params is None else params.drop_params,
            "mock_response": params.mock_response,
            "num_retries": params.num_retries if params.num_retries is not None else params.max_retries,
            "organization": params.organization,
        },
        abilities={**(facts.abilities if facts is not None else {}), **abilities(info.extras)},
    )


def priced(deployment: Deployment, prices: PriceBook) -> Deployment:
    """A row that a wildcard made, with the price and limits of the model it now names; a price of the row itself
    stays."""
    if deployment.price is not None:
        return deployment
    facts = prices.facts(deployment.provider, deployment.model)
    limit = deployment.max_input_tokens or (facts.max_input_tokens if facts is not None else None)
    price = prices.price(deployment.provider, deployment.model)
    known = {**(facts.abilities if facts is not None else {}), **deployment.abilities}
    info = deployment.info
    if facts is not None and info.get("max_output_tokens") is None:
        info = {**info, "max_output_tokens": facts.max_output_tokens}
    return replace(deployment, price=price, max_input_tokens=limit, abilities=known, info=info)


def _price_overrides(row: ModelRow) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for source in (row.model_info, row.litellm_params):
        for name in (*source.extras, *type(source).model_fields):
            value = getattr(source, name, None) if name in type(source).model_fields else source.extras[name]
            if "_cost" in name and value is not None:
                found[name] = value
    return found


def _derived_id(row: ModelRow) -> str:
    """Stable for a row: it covers the name and where the row points to, and no secret, so that rotating a key keeps
    it."""
    params = row.litellm_params
    shown = {
        "model_name": row.model_name,
        "model": params.model,
        "api_base": params.api_base,
        "api_version": params.api_version,
        "organization": params.organization,
        "region_name": params.extras.get("region_name"),
    }
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()
