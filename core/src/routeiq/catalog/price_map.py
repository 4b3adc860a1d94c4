"""litellm's map of models in its installed package: found without importing litellm, read for the models asked for.

The map as a whole never stays in memory, and what a price means is decided in `rates` and `prices`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from routeiq.catalog.rates import OUTPUT, RATE_FIELDS
from routeiq_sdk import ConfigError

_FILE_NAMES = ("model_prices_and_context_window_backup.json", "model_prices_and_context_window.json")
_TIER = re.compile(r"_above_\d+k_tokens")
_TIERS = frozenset({"tiered_pricing", "off_peak_pricing"})
_REASONING = "output_cost_per_reasoning_token"
# Batch prices are for an API of their own; a call through the gateway never gets them.
_NOT_FOR_CALLS = "_batches"
_FAMILIES: Mapping[str, frozenset[str]] = {
    "azure": frozenset({"azure_text"}),
    "bedrock": frozenset({"bedrock_converse"}),
    "cohere": frozenset({"cohere_chat"}),
    "cohere_chat": frozenset({"cohere"}),
    "text-completion-openai": frozenset({"openai"}),
}


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the map says of a model beside its rates; `None` (or no word, among abilities) where it says nothing.

    `tiered`: the price also depends on the size of the prompt or the hour, and `Price` holds the base rate alone.
    `other_charges`: what else the provider bills, by the map's names, that `Price` does not hold.
    """

    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    abilities: Mapping[str, bool] = field(default_factory=dict)
    mode: str | None = None
    tiered: bool = False
    other_charges: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MapEntry:
    """One model of the map."""

    owner: str
    rates: Mapping[str, Any]
    facts: ModelFacts

    def belongs_to(self, provider: str) -> bool:
        """Whether an entry without a provider in its name is one of this provider's."""
        return _belongs(self.owner, provider)


_ABILITIES = {
    "tools": "supports_function_calling",
    "vision": "supports_vision",
    "json": "supports_response_schema",
}


def abilities(fields: Mapping[str, Any]) -> dict[str, bool]:
    """What a model can, by LiteLLM's flags of the map or of a row; a flag that is not written says nothing."""
    told = {word: fields.get(flag) for word, flag in _ABILITIES.items()}
    return {word: value for word, value in told.items() if isinstance(value, bool)}


class _Owner(msgspec.Struct):
    litellm_provider: str = ""


def find_price_map() -> Path | None:
    """The map in the installed litellm, which is not imported; `None` when there is none."""
    spec = find_spec("litellm")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        for name in _FILE_NAMES:
            path = Path(folder) / name
            if path.is_file():
                return path
    return None


def names_of(provider: str, model: str) -> list[str]:
    """The names under which the map may hold a model, the most exact first."""
    names = [f"{provider}/{model}", model]
    if model.startswith("ft:"):
        # A model tuned by a customer (`ft:base:organisation::id`) has the price of tuned models of its base.
        names.append(":".join(model.split(":")[:2]))
    return names


def read_entries(data: bytes, path: Path, wanted: Iterable[tuple[str, str]]) -> dict[str, MapEntry]:
    """The entries of the wanted models; a model may be a pattern with `*`. Raises `ConfigError`."""
    try:
        raw = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        keys: set[str] = set()
        for provider, model in set(wanted):
            keys |= _matching(raw, provider, model)
        return {key: _entry(_fields(raw[key])) for key in keys}
    except (msgspec.DecodeError, ValueError) as error:
        raise ConfigError(
            f"This is no map of model prices: {error}.", file=path, mend="install litellm again"
        ) from error


def _matching(raw: Mapping[str, msgspec.Raw], provider: str, model: str) -> set[str]:
    if "*" not in model:
        return {
            name
            for place, name in enumerate(names_of(provider, model))
            if name in raw and (place == 0 or _belongs(_owner(raw[name]), provider))
        }
    named = f"{provider}/{model}"
    return {
        key
        for key in raw
        if fnmatchcase(key, named) or (fnmatchcase(key, model) and _belongs(_owner(raw[key]), provider))
    }


def _owner(entry: msgspec.Raw) -> str:
    return msgspec.json.decode(entry, type=_Owner).litellm_provider


def _belongs(owner: str, provider: str) -> bool:
    return owner == provider or owner.startswith(f"{provider}-") or owner in _FAMILIES.get(provider, ())


def _fields(entry: msgspec.Raw) -> dict[str, Any]:
    fields = json.loads(bytes(entry), parse_float=Decimal)
    if not isinstance(fields, dict):
        raise ValueError("a model that is no object")
    return fields


def _entry(fields: dict[str, Any]) -> MapEntry:
    rates = {name: value for name, value in fields.items() if name in RATE_FIELDS}
    tiered = any(name in _TIERS or _TIER.search(name) for name in fields)
    facts = ModelFacts(
        max_input_tokens=_tokens(fields.get("max_input_tokens")),
        max_output_tokens=_tokens(fields.get("max_output_tokens")),
        abilities=abilities(fields),
        mode=fields.get("mode"),
        tiered=tiered,
        other_charges=tuple(sorted(name for name in fields if _is_other_charge(name, fields))),
    )
    return MapEntry(fields.get("litellm_provider") or "", rates, facts)


def _is_other_charge(name: str, fields: Mapping[str, Any]) -> bool:
    charges = "cost" in name or name.endswith("_multiplier") or name == "provider_specific_entry"
    if not charges or name in RATE_FIELDS or name.endswith(_NOT_FOR_CALLS) or _TIER.search(name):
        return False
    if name == _REASONING and fields[name] == fields.get(OUTPUT):
        return False
    return bool(fields[name])


def _tokens(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
