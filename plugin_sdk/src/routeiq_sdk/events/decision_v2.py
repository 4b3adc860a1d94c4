"""`routeiq.router_decision.v2`: a routing choice with all that auditing and learning from it need.

It holds every field of version 1 under the same name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ConfigDict

from routeiq_sdk.events.attempt import AttemptV1
from routeiq_sdk.events.contract import Contract
from routeiq_sdk.events.decision_v1 import (
    DecisionInput,
    Experiment,
    Fallback,
    Outcome,
    Timings,
)


@dataclass(slots=True, kw_only=True)
class ScoredCandidate:
    """One model that could have been chosen, with what was predicted about it."""

    __pydantic_config__ = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    model_name: str
    """The model group."""
    provider: str | None
    """Who serves it, when it was called."""
    score: float | None
    """The strategy's score; higher is better."""
    available: bool
    """Whether it could be called."""
    quality: float | None
    """Predicted probability of a good answer, 0 to 1."""
    cost: int | None
    """Expected cost in nano-USD."""
    uncertainty: float | None
    """One standard deviation of the quality."""
    reason: str
    """Why it stands where it stands."""


@dataclass(slots=True, kw_only=True)
class Reward:
    """What is known about how good the choice was; scores come later, as feedback, under the decision's id."""

    __pydantic_config__ = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    cost: int | None
    """Nano-USD of all attempts together."""
    latency_ms: float
    """From arrival to the last byte."""
    time_to_first_token_ms: float | None
    """From the last attempt's call to its first event."""
    quality_score: float | None = None
    """A judge's score, 0 to 1, when there is one."""
    feedback: float | None = None
    """A user's score, 0 to 1, when there is one."""


@dataclass(slots=True, kw_only=True)
class RouterDecisionV2(Contract, name="routeiq.router_decision.v2"):
    """One routing choice, why it was made, what came of it and what it cost. No prompt and no answer text."""

    contract_version: str = "v2"
    """Version of this contract."""
    contract_name: str = "routeiq.router_decision.v2"
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
    request_id: str
    """The logical request's id, which the client saw."""
    principal: str | None
    """The credential's id: a hash, never the key."""
    route: str
    """The route that was called."""
    http_status: int
    """What the client got; 499 when it went away."""
    stream: bool
    """Whether the client wanted a stream."""
    input: DecisionInput
    """What was to be decided."""
    strategy_name: str | None
    """Who decided; null for a concrete model, which is honoured."""
    strategy_version: str | None
    """And its version."""
    candidate_deployments: tuple[ScoredCandidate, ...]
    """Every model that was ranked, best first."""
    selected_deployment: str | None
    """The model that was chosen."""
    selection_reason: str
    """One sentence a person can read."""
    propensity: float
    """Probability with which the strategy makes this choice for this request; 1 when it is deterministic."""
    feature_reference: str | None
    """Names the features that the choice rests on (an embedder's fingerprint, a stored vector's id)."""
    policy: str | None
    """The policy or profile that weighed quality against cost."""
    config_hash: str
    """The revision of the gateway's configuration."""
    experiment: Experiment | None
    """The experiment that the request was part of."""
    timings: Timings
    """How long the choice took."""
    attempts: tuple[AttemptV1, ...]
    """Every call to a provider, in order."""
    outcome: Outcome
    """What came of it."""
    fallback: Fallback
    """Whether another model had to answer."""
    reward: Reward
    """What is known about how good the choice was."""
    cost: int | None
    """Nano-USD of the answer that was delivered; null when unpriced."""
    total_cost: int | None
    """Nano-USD of all attempts together: the cost of the completed task."""
    price_version: str | None
    """The price book's version."""
    custom_attributes: Mapping[str, Any] = field(default_factory=dict)
    """What the strategy adds."""
