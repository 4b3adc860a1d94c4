"""The routing decision as JSON: the contract `routeiq.router_decision.v1` with its users hashed.

The usual case is written straight from the record, for speed; a test compares it with the contract's own JSON.
"""

from __future__ import annotations

import json
from functools import lru_cache
from json.encoder import encode_basestring as quoted
from math import isfinite

from routeiq_otel.privacy import hashed, shown
from routeiq_sdk import Record
from routeiq_sdk.events.contract import moment
from routeiq_sdk.events.of_record import decision_v1_of

_TOLD_ELSEWHERE = frozenset({"features", "feature_reference", "policy", "profile", "query_length"})
_NOBODY = "0" * 32
_SPANLESS = "0" * 16
_AVAILABLE = ',"available":true}'
_NO_ERROR = '"error_message":null,"error_type":null,'


def decision_json(record: Record) -> str:
    """The decision of a request that was routed."""
    decision = record.decision
    plain = record.status < 400 and len(record.attempts) < 2
    if not plain or (decision is not None and "experiment" in decision.attributes):
        return _from_contract(record)
    return _written(record)


def _from_contract(record: Record) -> str:
    told = decision_v1_of(record)
    asked, outcome = told.input, told.outcome
    asked.user_id = None if asked.user_id is None else hashed(asked.user_id)
    asked.request_metadata = {**asked.request_metadata, "end_user": _end_user(record)}
    outcome.error_message = None if outcome.error_message is None else shown(outcome.error_message)
    return told.json().decode()


def _written(record: Record) -> str:
    decision, trace, usage = record.decision, record.trace, record.usage
    trace_id, span_id, parent = _NOBODY, _SPANLESS, "null"
    if trace is not None:
        trace_id, span_id, parent = trace.trace_id, trace.span_id, _maybe(trace.parent_span_id)
    called = record.attempts[0] if record.attempts else None
    group, provider = (called.group, called.provider) if called is not None else (None, None)
    length, custom = None, "{}"
    if decision is None:
        chosen = _concrete(record.group, provider if group == record.group else None)
    else:
        candidates = ",".join(
            [
                _candidate(each.model, provider if each.model == group else None) + _number(each.score) + _AVAILABLE
                for each in decision.candidates
            ]
        )
        chosen = _choice(decision.strategy, decision.version) + candidates + _chosen(decision.candidates[0].model)
        chosen += quoted(decision.reason)
        told = decision.attributes
        if told:
            value = told.get("query_length")
            length = int(value) if isinstance(value, int) else None
            custom = _json({name: value for name, value in told.items() if name not in _TOLD_ELSEWHERE})
    tokens = (
        '"input_tokens":null,"output_tokens":null,"total_tokens":null'
        if usage is None
        else f'"input_tokens":{usage.input_tokens},"output_tokens":{usage.output_tokens},'
        f'"total_tokens":{usage.input_tokens + usage.output_tokens}'
    )
    routing = "null" if record.routing_ms is None else repr(round(record.routing_ms, 3))
    event_id = record.decision_id or f"dec-{record.request_id}"
    asked = _asked(
        record.requested_model, length, record.user, record.team, record.surface, record.tags, record.end_user
    )
    error = _NO_ERROR if record.error_type is None and record.error is None else _error(record)
    return (
        f'{{"contract_version":"v1","contract_name":"routeiq.router_decision.v1","event_id":{quoted(event_id)},'
        f'"trace_id":"{trace_id}","span_id":"{span_id}","parent_span_id":{parent},'
        f'"timestamp_utc":"{moment(record.at)}","timestamp_unix_ms":{record.at // 1_000_000},{asked}{chosen},'
        f'"experiment":null,"timings":{{"total_ms":{routing},"strategy_ms":null,"embedding_ms":null,'
        f'"candidate_filter_ms":null}},"outcome":{{"status":"success",{error}{tokens},"api_type":{quoted(record.surface)}}},'
        '"fallback":{"fallback_triggered":false,"original_model":null,"fallback_reason":null,"fallback_attempt":null},'
        f'"custom_attributes":{custom}}}'
    )


@lru_cache(maxsize=2048)
def _asked(
    model: str | None,
    length: int | None,
    user: str | None,
    team: str | None,
    surface: str,
    tags: tuple[str, ...],
    end_user: str | None,
) -> str:
    """What was to be decided, with a comma behind it."""
    user, end_user = (None if each is None else hashed(each) for each in (user, end_user))
    return (
        f'"input":{{"requested_model":{_maybe(model)},"query_length":{"null" if length is None else length},'
        f'"user_id":{_maybe(user)},"team_id":{_maybe(team)},"api_type":{quoted(surface)},'
        f'"request_metadata":{{"tags":[{",".join(map(quoted, tags))}],"end_user":{_maybe(end_user)}}}}},'
    )


@lru_cache(maxsize=1024)
def _choice(strategy: str | None, version: str | None) -> str:
    return f'"strategy_name":{_maybe(strategy)},"strategy_version":{_maybe(version)},"candidate_deployments":['


@lru_cache(maxsize=1024)
def _chosen(model: str | None) -> str:
    return f'],"selected_deployment":{_maybe(model)},"selection_reason":'


@lru_cache(maxsize=1024)
def _candidate(model: str, provider: str | None) -> str:
    return f'{{"model_name":{quoted(model)},"provider":{_maybe(provider)},"score":'


@lru_cache(maxsize=1024)
def _concrete(model: str | None, provider: str | None) -> str:
    candidate = "" if model is None else f"{_candidate(model, provider)}1.0{_AVAILABLE}"
    return f'{_choice(None, None)}{candidate}{_chosen(model)}"a concrete model is honoured"'


def _error(record: Record) -> str:
    message = None if record.error is None else shown(record.error)
    return f'"error_message":{_maybe(message)},"error_type":{_maybe(record.error_type)},'


def _number(value: float) -> str:
    return repr(value) if isfinite(value) else "null"


def _end_user(record: Record) -> str | None:
    return None if record.end_user is None else hashed(record.end_user)


def _maybe(value: str | None) -> str:
    return "null" if value is None else quoted(value)


def _json(value: object) -> str:
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=str)
    except ValueError:
        return "{}"
