"""LiteLLM's form of an agent: a row of `agents` or `agent_list`, and the body of its `/v1/agents`.

How such a row becomes an agent is told in `registry.rows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints, field_validator

from routeiq_a2a.addresses import checked_url
from routeiq_sdk import PluginConfig, Secret

RowName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._ -]*$", max_length=100)]
_KEPT = frozenset({"api_base", "api_key", "cost_per_query", "custom_llm_provider", "model", "is_public", "make_public"})
_CARD_FIELD = "agent_card_params"


class LitellmAgent(PluginConfig):
    """A row. What would protect something and is not done here is refused, so that nobody relies on it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    agent_id: str | None = Field(None, min_length=1, max_length=100, description="Its id; left out: made of the name.")
    agent_name: RowName = Field(description="Its name, in paths and permissions.")
    agent_card_params: dict[str, Any] = Field(description="The agent's card; its `url` is the address to call.")
    litellm_params: dict[str, Any] = Field({}, description="`api_base`, `api_key`, `cost_per_query`.")
    static_headers: dict[str, Secret] = Field({}, description="Headers sent with every call.")

    @field_validator("litellm_params")
    @classmethod
    def _served(cls, params: Mapping[str, Any]) -> Mapping[str, Any]:
        unknown = sorted(set(params) - _KEPT)
        if unknown:
            raise ValueError(f"{unknown[0]!r} is not served here; remove it, and use policies and budgets")
        if params.get("custom_llm_provider") not in (None, "a2a", "a2a_agent"):
            raise ValueError("only agents that speak A2A are served; custom_llm_provider names another protocol")
        return params

    @field_validator(_CARD_FIELD)
    @classmethod
    def _has_an_address(cls, card: Mapping[str, Any]) -> Mapping[str, Any]:
        address = address_of(card)
        if not address:
            raise ValueError("the card has neither url nor supportedInterfaces with one")
        checked_url(address)
        return card


def address_of(card: Mapping[str, Any]) -> str | None:
    """The address that a card names first."""
    url = card.get("url")
    if not url:
        interfaces = card.get("supportedInterfaces")
        first = interfaces[0] if isinstance(interfaces, list) and interfaces else None
        url = first.get("url") if isinstance(first, Mapping) else None
    return url if isinstance(url, str) and url else None
