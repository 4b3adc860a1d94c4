"""Agents made of what the YAML and LiteLLM's routes say, and what those routes show of them.

Where rows are kept is `registry.stored`'s business.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import SecretStr

from routeiq_a2a.addresses import checked_url
from routeiq_a2a.config import A2AConfig, AgentSettings
from routeiq_a2a.litellm import LitellmAgent, address_of
from routeiq_a2a.registry.agent import Agent
from routeiq_sdk import Secret
from routeiq_sdk.values.delegation import OutboundAuth

_NANO = 1_000_000_000
_SHOWN_PARAMS = frozenset({"cost_per_query", "custom_llm_provider", "model", "is_public", "make_public"})


def configured(config: A2AConfig) -> tuple[Agent, ...]:
    """The agents of the YAML."""
    ours = [of_settings(name, settings) for name, settings in config.agents.items()]
    rows = (*config.litellm_agents, *config.litellm_agent_list)
    return (*ours, *(of_row(row, row.agent_id or fixed_id(row.agent_name)) for row in rows))


def fixed_id(name: str) -> str:
    """The id of an agent of the YAML: the same as long as it has its name."""
    return hashlib.sha256(f"a2a agent\0{name}".encode()).hexdigest()[:32]


def of_settings(name: str, settings: AgentSettings) -> Agent:
    """An agent of the plugin's own block."""
    verify = settings.verify_signature
    return Agent(
        id=fixed_id(name),
        name=name,
        url=settings.url,
        card_url=settings.card_url,
        origins=settings.origins,
        binding=settings.binding,
        version=settings.version,
        auth=settings.auth,
        trusted_keys=settings.trusted_keys,
        verify=bool(settings.trusted_keys) if verify is None else verify,
        push=settings.push,
        as_model=settings.as_model,
        as_tools=settings.as_tools,
        price=nano(settings.price),
        timeout=settings.timeout,
        stream_timeout=settings.stream_timeout,
    )


def of_row(row: LitellmAgent, id: str, *, untrusted: bool = False) -> Agent:
    """An agent of a row. Its card is the row's, so nothing is fetched. Raises `ValueError`."""
    params = row.litellm_params
    url = params.get("api_base") or address_of(row.agent_card_params)
    if not isinstance(url, str):
        raise ValueError("api_base is no text")
    checked_url(url)
    headers = {name: SecretStr(value.reveal()) for name, value in row.static_headers.items()}
    key = params.get("api_key")
    if key:
        plain = key.reveal() if isinstance(key, Secret) else key
        headers.setdefault("Authorization", SecretStr(f"Bearer {plain}"))
    card = {**row.agent_card_params}
    if params.get("api_base") and "supportedInterfaces" not in card:
        card["url"] = url
    return Agent(
        id=id,
        name=row.agent_name,
        url=url,
        card=card,
        auth=OutboundAuth(mode="static", headers=headers) if headers else OutboundAuth(),
        price=nano(params.get("cost_per_query") or 0),
        untrusted=untrusted,
        row=shown_row(row),
    )


def shown_row(row: LitellmAgent) -> Mapping[str, Any]:
    """A row without its secrets."""
    params = {name: value for name, value in row.litellm_params.items() if name in _SHOWN_PARAMS}
    return {"agent_card_params": row.agent_card_params, "litellm_params": params}


def nano(usd: Any) -> int:
    """USD in nano-USD, rounded up. Raises `ValueError`."""
    try:
        value = Decimal(str(usd))
    except InvalidOperation:
        raise ValueError("a price is a number of USD") from None
    if not value.is_finite() or value < 0:
        raise ValueError("a price is a number of USD, not below 0")
    return -int(-value * _NANO // 1)
