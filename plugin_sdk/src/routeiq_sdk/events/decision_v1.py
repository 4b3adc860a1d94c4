"""`routeiq.router_decision.v1`: a routing choice, in the fields that RouteIQ has always told.

New fields go into version 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ConfigDict

from routeiq_sdk.events.contract import Contract

Status = Literal["success", "failure", "fallback", "error", "no_candidates", "timeout"]


@dataclass(slots=True, kw_only=True)
class DecisionInput:
    """What was to be decided."""

    __pydantic_config__ = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    requested_model: str | None
    """The name that the client asked for."""
    query_length: int | None
    """Characters of the text that was looked at; null when the strategy read none."""
    user_id: str | None
    """The user behind the credential."""
    team_id: str | None
    """The caller's team."""
    api_type: str
    """The surface that the client spoke to."""
    request_metadata: Mapping[str, Any] = field(default_factory=dict)
    """Tags and ids that came with the request."""


@dataclass(slots=True, kw_only=True)
class CandidateDeployment:
    """One model that could have been chosen."""

    __pydantic_config__ = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    model_name: str
    """The model group."""
    provider: str | None
    """Who serves it, when it was called."""
    score: float | None
    """The strategy's score; higher is better."""
    available: bool
    """Whether it could be called."""


@dataclass(slots=True, kw_only=True)
class Experiment:
    """The experiment that the request was part of."""

    __pydantic_config__ = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    experiment_id: str | None = None
    """Its name."""
    variant: str | None = None
    """The arm that the request fell into."""
    strategy_name: str | None = None
    """The arm's strategy."""
    strategy_version: str | None = None
    """And its version."""
    weight: float | None = None
    """The arm's weight."""
    total_weight: float | None = None
    """The weights of all arms together."""
    hash_bucket: int | None = None
    """Where the request's hash fell."""
    hash_key_type: str | None = None
    """What was hashed: user, key, request."""


@dataclass(slots=True, kw_only=True)
class Timings:
    """How long the choice took, in milliseconds."""

    __pydantic_config__ = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    total_ms: float | None = None
    """Filters and strategy together."""
    strategy_ms: float | None = None
    """The strategy alone."""
    embedding_ms: float | None = None
    """Turning the text into a vector."""
    candidate_filter_ms: float | None = None
    """Filtering the candidates."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of it."""

    __pydantic_config__ = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    status: Status
    """How the request ended."""
    error_message: str | None = None
    """What a failure said."""
    error_type: str | None = None
    """The class of a failure."""
    input_tokens: int | None = None
    """Tokens of the prompt."""
    output_tokens: int | None = None
    """Tokens of the answer."""
    total_tokens: int | None = None
    """Both together."""
    api_type: str | None = None
    """The surface that the client spoke to."""


@dataclass(slots=True, kw_only=True)
class Fallback:
    """Whether another model than the chosen one had to answer."""

    __pydantic_config__ = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    fallback_triggered: bool
    """Whether the retreat was used."""
    original_model: str | None = None
    """The model that was chosen first."""
    fallback_reason: str | None = None
    """Why it did not answer."""
    fallback_attempt: int | None = None
    """The number of the attempt that answered."""


@dataclass(slots=True, kw_only=True)
class RouterDecisionV1(Contract, name="routeiq.router_decision.v1"):
    """One routing choice and what came of it. It holds no prompt and no answer text."""

    contract_version: str = "v1"
    """Version of this contract."""
    contract_name: str = "routeiq.router_decision.v1"
    """Name of this contract."""
    event_id: str
    """Unique: the decision's id."""
    trace_id: str
    """The trace of the request, 32 hex digits."""
    span_id: str
    """The request's span, 16 hex digits."""
    parent_span_id: str | None
    """The caller's span."""
    timestamp_utc: str
    """When the request arrived, ISO 8601."""
    timestamp_unix_ms: int
    """The same as Unix time in milliseconds."""
    input: DecisionInput
    """What was to be decided."""
    strategy_name: str | None
    """Who decided; null for a concrete model, which is honoured."""
    strategy_version: str | None
    """And its version."""
    candidate_deployments: tuple[CandidateDeployment, ...]
    """Every model that was ranked, best first."""
    selected_deployment: str | None
    """The model that was chosen."""
    selection_reason: str
    """One sentence a person can read."""
    experiment: Experiment | None
    """The experiment that the request was part of."""
    timings: Timings
    """How long the choice took."""
    outcome: Outcome
    """What came of it."""
    fallback: Fallback
    """Whether another model had to answer."""
    custom_attributes: Mapping[str, Any] = field(default_factory=dict)
    """What the strategy adds."""
