"""Rates of tokens as exact fractions of a dollar, and how they become the integers of a `Price`.

Where rates are written (map, YAML, rows) is the business of `prices`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from routeiq_sdk import ConfigError, Price

_NANO = 10**9
_WITHOUT_OUTPUT = frozenset({"embedding", "rerank", "moderation"})

INPUT = "input_cost_per_token"
OUTPUT = "output_cost_per_token"
CACHE_READ = "cache_read_input_token_cost"
CACHE_READ_OLD = "input_cost_per_token_cache_hit"
CACHE_WRITE = "cache_creation_input_token_cost"
PER_REQUEST = "input_cost_per_request"
RATE_FIELDS = frozenset({INPUT, OUTPUT, CACHE_READ, CACHE_READ_OLD, CACHE_WRITE, PER_REQUEST})
_INPUT_SIDE = frozenset({INPUT, CACHE_READ, CACHE_READ_OLD, CACHE_WRITE})


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars a token, and a request."""

    input: Fraction
    output: Fraction
    cached: Fraction
    cache_write: Fraction
    per_request: Fraction

    def price(self, version: str) -> Price:
        """The same rates as integers over one scale, with nothing lost."""
        nano = [rate * _NANO for rate in (self.input, self.output, self.cached, self.cache_write, self.per_request)]
        scale = math.lcm(*(rate.denominator for rate in nano))
        input_, output, cached, cache_write, per_request = (int(rate * scale) for rate in nano)
        return Price(input_, output, cached, cache_write, per_request, scale=scale, version=version)


def read_rates(fields: Mapping[str, Any], *, mode: str | None, otherwise_billed: bool) -> Rates | None:
    """Rates from fields named as in litellm's map; `None` when they do not say what a call costs.

    Input read from or written to a cache costs what other input costs unless there is a rate of its own.
    `otherwise_billed` says that the provider bills something else than tokens too: zeros for tokens are no price then.
    """
    known = {name: usd(name, value) for name, value in fields.items() if name in RATE_FIELDS and value is not None}
    per_request = known.get(PER_REQUEST)
    input_, output = known.get(INPUT), known.get(OUTPUT)
    if output is None and mode in _WITHOUT_OUTPUT:
        output = Fraction(0)
    if input_ is None and output is None and per_request is not None:
        input_ = output = Fraction(0)
    if input_ is None or output is None:
        return None
    if otherwise_billed and not (input_ or output or per_request):
        return None
    return Rates(
        input_,
        output,
        known.get(CACHE_READ, known.get(CACHE_READ_OLD, input_)),
        known.get(CACHE_WRITE, input_),
        per_request or Fraction(0),
    )


def override(fields: Mapping[str, Any], by: Mapping[str, Any]) -> dict[str, Any]:
    """`fields` with those of `by` on top. A new input rate takes the old cache rates with it: they belong together."""
    by = {name: value for name, value in by.items() if value is not None}
    dropped = _INPUT_SIDE if INPUT in by else frozenset[str]()
    return {**{name: value for name, value in fields.items() if name not in dropped}, **by}


def usd(name: str, value: Any) -> Fraction:
    """An amount of dollars exactly as it was written. Raises `ConfigError`."""
    try:
        if isinstance(value, bool):
            raise TypeError
        if isinstance(value, float):
            # Its shortest text is what was written in YAML or JSON; its binary value is not.
            value = repr(value)
        amount = value if isinstance(value, Fraction) else Fraction(Decimal(value))
    except (InvalidOperation, TypeError, ValueError, OverflowError):
        amount = Fraction(-1)
    if amount < 0:
        raise ConfigError(f"{name}: {value!r} is no price.", mend="write US dollars as a number that is not below 0")
    return amount
