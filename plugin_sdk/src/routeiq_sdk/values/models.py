"""Models as the catalogue knows them: prices, deployments, groups, and what a call used.

Reading configuration into these values is the core's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from routeiq_sdk.secret import Secret


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, as the provider billed them. `estimated` marks counts that RouteIQ had to guess.

    `cached_tokens` and `cache_write_tokens` are parts of `input_tokens`; `reasoning_tokens` is a part of
    `output_tokens`.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False

    @property
    def total_tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Price:
    """What tokens cost. Rates are integers in units of 1/`scale` nano-USD (10^-9 USD) a token, so sums are exact.

    `version` names the price book the rates come from; it is written beside every cost.
    """

    input: int
    output: int
    cached: int
    cache_write: int
    per_request: int = 0
    scale: int = 1
    version: str = ""

    def cost(self, usage: Usage) -> int:
        """Cost of a call in nano-USD: exact inside, rounded up once at the end."""
        plain = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
        units = (
            max(plain, 0) * self.input
            + usage.cached_tokens * self.cached
            + usage.cache_write_tokens * self.cache_write
            + usage.output_tokens * self.output
            + self.per_request
        )
        return -(-units // self.scale)


@dataclass(frozen=True, slots=True)
class Deployment:
    """One place where a model can be called: a row of `model_list`, made ready for use.

    `group` is the public model name, `model` the name the provider knows. `wire` says how it is spoken to:
    `openai`, `anthropic`, or `litellm` for providers that need translation. `price` is `None` when unpriced.
    `guardrails` names those that must look at a request before it is called here.
    `abilities` says of `tools`, `vision` and `json` (schemas) whether the model can; a missing word is not known.
    """

    id: str
    group: str
    provider: str
    model: str
    wire: str
    api_base: str | None = None
    api_key: Secret | None = None
    mode: str = "chat"
    weight: float | None = None
    order: int | None = None
    rpm: int | None = None
    tpm: int | None = None
    tags: frozenset[str] = frozenset()
    guardrails: frozenset[str] = frozenset()
    region: str | None = None
    max_input_tokens: int | None = None
    timeout: float | None = None
    stream_timeout: float | None = None
    max_parallel_requests: int | None = None
    price: Price | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)
    abilities: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelGroup:
    """Deployments that answer to one public name."""

    name: str
    deployments: tuple[Deployment, ...]

    @property
    def price(self) -> Price | None:
        """The dearest price among the deployments that have one; what a careful estimate uses."""
        priced = [d.price for d in self.deployments if d.price is not None]
        return max(priced, key=lambda p: (p.input + p.output) / p.scale, default=None)
