"""The price book: what models cost, from the row, the operator's YAML or litellm's map, in this order.

A model nobody prices is unpriced, which is `None` and never 0. What calls cost is added up elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from routeiq.catalog.price_map import MapEntry, ModelFacts, find_price_map, names_of, read_entries
from routeiq.catalog.rates import CACHE_READ, CACHE_WRITE, INPUT, OUTPUT, override, read_rates
from routeiq.config.routeiq_block import PriceOverride
from routeiq_sdk import ConfigError, Price

__all__ = ["ModelFacts", "PriceBook", "find_price_map"]

_VERSION_DIGITS = 12
_ROW_DIGITS = 8
_MTOK = 10**6


class PriceBook:
    """Prices and facts of the models it was loaded for; immutable.

    `version` names the map and the overrides. A price with rates from a row carries `VERSION+DIGEST` of those rates.
    """

    def __init__(
        self, version: str, entries: Mapping[str, MapEntry], overrides: Mapping[str, Mapping[str, Fraction]]
    ) -> None:
        self.version = version
        self._entries = entries
        self._overrides = overrides

    @classmethod
    def load(
        cls,
        litellm_map: Path | None,
        overrides: Mapping[str, PriceOverride] | None = None,
        *,
        wanted: Iterable[tuple[str, str]],
    ) -> PriceBook:
        """Read the map (`find_price_map()`; `None` for none) for the `wanted` pairs of provider and model.

        A wanted model may hold `*`. `overrides` is `routeiq.prices`, by `provider/model` or by model. Models that were
        not wanted are unpriced, unless an override names them. Raises `ConfigError`.
        """
        digest = hashlib.sha256()
        entries: dict[str, MapEntry] = {}
        if litellm_map is not None:
            try:
                data = litellm_map.read_bytes()
            except OSError as error:
                raise ConfigError(
                    f"The map of model prices cannot be read: {error.strerror}.", file=litellm_map
                ) from error
            digest.update(data)
            entries = read_entries(data, litellm_map, wanted)
        own = {model: _as_fields(price) for model, price in (overrides or {}).items()}
        digest.update(_canonical(own))
        return cls(digest.hexdigest()[:_VERSION_DIGITS], entries, own)

    def price(self, provider: str, model: str, row: Mapping[str, Any] | None = None) -> Price | None:
        """The price of a model, `None` when it is unpriced.

        `row` holds the fields with `_cost` of a row's `litellm_params` and `model_info`. Raises `ConfigError` when one
        of them is no price.
        """
        own = self._override(provider, model)
        entry = self._entry(provider, model)
        facts = entry.facts if entry is not None else ModelFacts()
        fields: Mapping[str, Any] = own or (entry.rates if entry is not None else {})
        version = self.version
        if row and (written := {name: value for name, value in row.items() if value is not None}):
            fields = override(fields, written)
            version = f"{version}+{hashlib.sha256(_canonical(written)).hexdigest()[:_ROW_DIGITS]}"
        # Who writes a rate of 0 means it; zeros of the map may only say that something else is billed.
        listed = own is None and not row
        rates = read_rates(fields, mode=facts.mode, otherwise_billed=listed and bool(facts.other_charges))
        return rates.price(version) if rates is not None else None

    def facts(self, provider: str, model: str) -> ModelFacts | None:
        """What the map says of a model, `None` when it has none. A price of the operator's own has no tiers."""
        entry = self._entry(provider, model)
        if entry is None:
            return None
        if self._override(provider, model) is not None:
            return replace(entry.facts, tiered=False, other_charges=())
        return entry.facts

    def models(self, provider: str) -> list[str]:
        """A provider's models that the map has, by the provider's own names; only those that a wanted pattern
        matched."""
        prefix = f"{provider}/"
        names = (name.removeprefix(prefix) for name, entry in self._entries.items() if entry.belongs_to(provider))
        return sorted({name for name in names if "/" not in name and not name.startswith("ft:")})

    def _entry(self, provider: str, model: str) -> MapEntry | None:
        for place, name in enumerate(names_of(provider, model)):
            entry = self._entries.get(name)
            if entry is not None and (place == 0 or entry.belongs_to(provider)):
                return entry
        return None

    def _override(self, provider: str, model: str) -> Mapping[str, Fraction] | None:
        return self._overrides.get(f"{provider}/{model}") or self._overrides.get(model)


def _as_fields(price: PriceOverride) -> dict[str, Fraction]:
    per_mtok = {
        INPUT: price.input_usd_per_mtok,
        OUTPUT: price.output_usd_per_mtok,
        CACHE_READ: price.cache_read_usd_per_mtok,
        CACHE_WRITE: price.cache_write_usd_per_mtok,
    }
    return {name: Fraction(rate) / _MTOK for name, rate in per_mtok.items() if rate is not None}


def _canonical(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, sort_keys=True, default=str).encode()
