"""The canonical JSON of a request's decision, spelled straight from its record.

It is `canonical(decision_v2_of(record).payload())` at a fifth of the cost: every request pays it.
A test holds the two together, field by field; what is rare goes the long way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from routeiq_audit.canonical import canonical
from routeiq_sdk import Outcome, Record, Usage
from routeiq_sdk.events.contract import moment
from routeiq_sdk.events.of_record import decision_v2_of

_OPTIONS = orjson.OPT_STRICT_INTEGER  # integers beyond 2^53 go the long way
_NOBODY, _NOWHERE = "0" * 32, "0" * 16
_EXPERIMENT = (
    *("experiment_id", "hash_bucket", "hash_key_type", "strategy_name", "strategy_version", "total_weight", "variant"),
    "weight",
)
_TOLD_ELSEWHERE = frozenset({"experiment", "features", "feature_reference", "policy", "profile", "query_length"})
_NO_ATTRIBUTES = orjson.Fragment(b"{}")


class _Rare(Exception):
    """Something that is spelled the long way."""


def decision_bytes(record: Record) -> bytes:
    """`routeiq.router_decision.v2` of a record, as canonical JSON."""
    try:
        return orjson.dumps(_told(record), option=_OPTIONS)
    except (_Rare, orjson.JSONEncodeError):
        return canonical(decision_v2_of(record).payload())


def _told(record: Record) -> dict[str, Any]:
    """The event with its keys in canonical order."""
    decision, trace, usage, attempts = record.decision, record.trace, record.usage, record.attempts
    attributes: Mapping[str, Any] = decision.attributes if decision is not None else {}
    trace_id = trace.trace_id if trace is not None else _NOBODY
    time = moment(record.at)
    first, last = (attempts[0], attempts[-1]) if attempts else (None, None)
    fell_back = first is not None and last is not None and first.group != last.group
    total_cost = record.total_cost
    features = attributes.get("feature_reference") or attributes.get("features")
    policy = attributes.get("policy") or attributes.get("profile")
    query_length = attributes.get("query_length")
    return {
        "attempts": [_attempt(outcome, record.request_id, trace_id, time) for outcome in attempts],
        "candidate_deployments": _candidates(record),
        "config_hash": record.config,
        "contract_name": "routeiq.router_decision.v2",
        "contract_version": "v2",
        "cost": record.cost,
        "custom_attributes": _custom(attributes) if attributes else _NO_ATTRIBUTES,
        "event_id": record.decision_id or f"dec-{record.request_id}",
        "experiment": _experiment(attributes.get("experiment")) if attributes else None,
        "fallback": {
            "fallback_attempt": last.number if fell_back and last is not None else None,
            "fallback_reason": first.error_type if fell_back and first is not None else None,
            "fallback_triggered": fell_back,
            "original_model": first.group if fell_back and first is not None else None,
        },
        "feature_reference": str(features) if features is not None else None,
        "http_status": record.status,
        "input": {
            "api_type": record.surface,
            "query_length": query_length if isinstance(query_length, int) else None,
            "request_metadata": {"end_user": record.end_user, "tags": record.tags},
            "requested_model": record.requested_model,
            "team_id": record.team,
            "user_id": record.user,
        },
        "outcome": {
            "api_type": record.surface,
            "error_message": record.error,
            "error_type": record.error_type,
            "input_tokens": usage.input_tokens if usage is not None else None,
            "output_tokens": usage.output_tokens if usage is not None else None,
            "status": _status(record, fell_back),
            "total_tokens": usage.total_tokens if usage is not None else None,
        },
        "parent_span_id": trace.parent_span_id if trace is not None else None,
        "policy": str(policy) if policy is not None else None,
        "price_version": record.price_version,
        "principal": record.principal,
        "propensity": _number(decision.propensity) if decision is not None else 1,
        "request_id": record.request_id,
        "reward": {
            "cost": total_cost,
            "feedback": None,
            "latency_ms": _milliseconds(record.latency_ms),
            "quality_score": None,
            "time_to_first_token_ms": _milliseconds(record.first_byte_ms),
        },
        "route": record.route,
        "selected_deployment": decision.chosen.model if decision is not None else record.group,
        "selection_reason": decision.reason if decision is not None else "a concrete model is honoured",
        "span_id": trace.span_id if trace is not None else _NOWHERE,
        "strategy_name": decision.strategy if decision is not None else None,
        "strategy_version": decision.version if decision is not None else None,
        "stream": record.stream,
        "timestamp_unix_ms": record.at // 1_000_000,
        "timestamp_utc": time,
        "timings": {
            "candidate_filter_ms": None,
            "embedding_ms": None,
            "strategy_ms": None,
            "total_ms": _milliseconds(record.routing_ms),
        },
        "total_cost": total_cost,
        "trace_id": trace_id,
    }


def _attempt(outcome: Outcome, request_id: str, trace_id: str, time: str) -> dict[str, Any]:
    usage: Usage | None = outcome.usage
    return {
        "cost": outcome.cost,
        "deployment_id": outcome.deployment_id,
        "dispatched": outcome.dispatched,
        "error_message": outcome.message,
        "error_type": outcome.error_type,
        "event_id": f"{request_id}-attempt-{outcome.number}",
        "finish_reason": outcome.finish_reason,
        "first_byte_ms": _milliseconds(outcome.first_byte_ms),
        "group": outcome.group,
        "input_tokens": usage.input_tokens if usage is not None else None,
        "kind": outcome.kind,
        "latency_ms": _milliseconds(outcome.latency_ms),
        "model": outcome.model,
        "number": outcome.number,
        "output_tokens": usage.output_tokens if usage is not None else None,
        "provider": outcome.provider,
        "request_id": request_id,
        "response_id": outcome.response_id,
        "status": outcome.status,
        "timestamp_utc": time,
        "trace_id": trace_id,
    }


def _candidates(record: Record) -> list[dict[str, Any]]:
    providers = {outcome.group: outcome.provider for outcome in record.attempts}
    if record.decision is None:
        return [] if record.group is None else [_candidate(record.group, providers, 1)]
    return [
        _candidate(
            one.model,
            providers,
            _number(one.score),
            one.cost,
            _number(one.quality),
            one.reason,
            _number(one.uncertainty),
        )
        for one in record.decision.candidates
    ]


def _candidate(
    model: str,
    providers: Mapping[str, str],
    score: float | None,
    cost: int | None = None,
    quality: float | None = None,
    reason: str = "",
    uncertainty: float | None = None,
) -> dict[str, Any]:
    return {
        "available": True,
        "cost": cost,
        "model_name": model,
        "provider": providers.get(model),
        "quality": quality,
        "reason": reason,
        "score": score,
        "uncertainty": uncertainty,
    }


def _status(record: Record, fell_back: bool) -> str:
    if record.status < 400:
        return "fallback" if fell_back else "success"
    if record.status in (408, 504):
        return "timeout"
    if not record.attempts:
        return "no_candidates" if record.stage == "attempt" else "error"
    return "failure"


def _experiment(told: object) -> orjson.Fragment | None:
    if not isinstance(told, Mapping):
        return None
    return orjson.Fragment(canonical({name: told.get(name) for name in _EXPERIMENT}))


def _custom(attributes: Mapping[str, Any]) -> orjson.Fragment:
    own = {name: value for name, value in attributes.items() if name not in _TOLD_ELSEWHERE}
    return orjson.Fragment(canonical(own)) if own else _NO_ATTRIBUTES


def _milliseconds(value: float | None) -> float | None:
    return None if value is None else _number(round(value, 3))


def _number(value: float | None) -> float | None:
    """As RFC 8785 spells it: without `.0`. Where exponents begin, the long way begins."""
    if value is None or type(value) is int:
        return value
    if -1e15 < value < 1e15:
        whole = int(value)
        if value == whole:
            return whole
        if value >= 1e-4 or value <= -1e-4:
            return value
    raise _Rare
