"""The contract events of a finished request, made from its record.

They are made where they are needed, off the request: a record is the one place where its facts are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from routeiq_sdk.events.admission import AdmissionV1
from routeiq_sdk.events.attempt import AttemptV1
from routeiq_sdk.events.contract import Contract, moment
from routeiq_sdk.events.decision_v1 import (
    CandidateDeployment,
    DecisionInput,
    Experiment,
    Fallback,
    Outcome,
    RouterDecisionV1,
    Status,
    Timings,
)
from routeiq_sdk.events.decision_v2 import Reward, RouterDecisionV2, ScoredCandidate
from routeiq_sdk.events.guard import GUARD_HOOKS, GuardV1
from routeiq_sdk.events.usage import UsageV1
from routeiq_sdk.values.decision import Candidate, Decision
from routeiq_sdk.values.records import Record
from routeiq_sdk.values.verdict import Ruling

_TOLD_ELSEWHERE = frozenset({"experiment", "features", "feature_reference", "policy", "profile", "query_length"})
_NOBODY = "0" * 32


def events_of(record: Record) -> Iterator[Contract]:
    """All events that a record tells: refusal, guards, decision (both versions), attempts, usage."""
    refusal = admission_of(record)
    if refusal is not None:
        yield refusal
    yield from guards_of(record)
    if was_routed(record):
        yield decision_v1_of(record)
        yield decision_v2_of(record)
    yield from attempts_of(record)
    usage = usage_of(record)
    if usage is not None:
        yield usage


def was_routed(record: Record) -> bool:
    """Whether a model was chosen (or a concrete one honoured) before the request ended."""
    return record.decision is not None or bool(record.attempts)


def admission_of(record: Record) -> AdmissionV1 | None:
    """The refusal before any provider was called; `None` when there was none, or when a guard refused."""
    if record.stage is None or record.stage == "guard":
        return None
    plugin = next(
        (r.plugin for r in record.rulings if r.action in ("reject", "fail") and r.hook not in GUARD_HOOKS), None
    )
    return AdmissionV1(
        event_id=f"{record.request_id}-admission",
        timestamp_utc=moment(record.at),
        request_id=record.request_id,
        trace_id=_trace_id(record),
        stage=record.stage,
        status=record.status,
        reason=record.error_type or "",
        message=record.error or "",
        plugin=plugin,
        route=record.route,
        action=record.action,
        principal=record.principal,
        user=record.user,
        team=record.team,
        client=record.client,
        requested_model=record.requested_model,
    )


def guards_of(record: Record) -> Iterator[GuardV1]:
    """One event for each objection of a guard."""
    for number, ruling in enumerate(record.rulings, start=1):
        told = guard_of(
            ruling,
            event_id=f"{record.request_id}-guard-{number}",
            at=record.at,
            request_id=record.request_id,
            trace_id=_trace_id(record),
            principal=record.principal,
            team=record.team,
        )
        if told is not None:
            yield told


def guard_of(
    ruling: Ruling,
    *,
    event_id: str,
    at: int,
    request_id: str,
    trace_id: str,
    principal: str | None,
    team: str | None,
) -> GuardV1 | None:
    """The event of one objection, made at `at` (Unix nanoseconds); `None` for one that is no guard's."""
    if ruling.hook not in GUARD_HOOKS:
        return None
    return GuardV1(
        event_id=event_id,
        timestamp_utc=moment(at),
        request_id=request_id,
        trace_id=trace_id,
        guard=ruling.plugin,
        stage=cast(Any, ruling.hook),
        action=cast(Any, ruling.action),
        status=ruling.status,
        reason=ruling.reason,
        principal=principal,
        team=team,
    )


def attempts_of(record: Record) -> Iterator[AttemptV1]:
    """One event for each call to a provider."""
    for outcome in record.attempts:
        usage = outcome.usage
        yield AttemptV1(
            event_id=f"{record.request_id}-attempt-{outcome.number}",
            timestamp_utc=moment(record.at),
            request_id=record.request_id,
            trace_id=_trace_id(record),
            number=outcome.number,
            group=outcome.group,
            deployment_id=outcome.deployment_id,
            provider=outcome.provider,
            model=outcome.model,
            kind=cast(Any, outcome.kind),
            status=outcome.status,
            dispatched=outcome.dispatched,
            latency_ms=_ms(outcome.latency_ms),
            first_byte_ms=_maybe_ms(outcome.first_byte_ms),
            input_tokens=usage.input_tokens if usage is not None else None,
            output_tokens=usage.output_tokens if usage is not None else None,
            cost=outcome.cost,
            response_id=outcome.response_id,
            finish_reason=outcome.finish_reason,
            error_type=outcome.error_type,
            error_message=outcome.message,
        )


def usage_of(record: Record) -> UsageV1 | None:
    """What the request used; `None` when no provider told or was called."""
    usage = record.usage
    if usage is None:
        return None
    return UsageV1(
        event_id=f"{record.request_id}-usage",
        timestamp_utc=moment(record.at),
        request_id=record.request_id,
        principal=record.principal,
        user=record.user,
        team=record.team,
        end_user=record.end_user,
        tags=record.tags,
        group=record.group,
        model=record.model,
        provider=record.provider,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        estimated=usage.estimated,
        cost=record.cost,
        total_cost=record.total_cost,
        attempts=len(record.attempts),
        price_version=record.price_version,
    )


def decision_v1_of(record: Record) -> RouterDecisionV1:
    """The choice in version 1's fields."""
    providers = _providers(record)
    candidates = tuple(
        CandidateDeployment(
            model_name=candidate.model,
            provider=providers.get(candidate.model),
            score=candidate.score,
            available=True,
        )
        for candidate in _candidates(record)
    )
    return RouterDecisionV1(**_shared(record), candidate_deployments=candidates)


def decision_v2_of(record: Record) -> RouterDecisionV2:
    """The choice in version 2's fields."""
    providers = _providers(record)
    decision, told = record.decision, _told(record)
    candidates = tuple(
        ScoredCandidate(
            model_name=candidate.model,
            provider=providers.get(candidate.model),
            score=candidate.score,
            available=True,
            quality=candidate.quality,
            cost=candidate.cost,
            uncertainty=candidate.uncertainty,
            reason=candidate.reason,
        )
        for candidate in _candidates(record)
    )
    return RouterDecisionV2(
        **_shared(record),
        candidate_deployments=candidates,
        request_id=record.request_id,
        principal=record.principal,
        route=record.route,
        http_status=record.status,
        stream=record.stream,
        propensity=decision.propensity if decision is not None else 1.0,
        feature_reference=_text(told.get("feature_reference") or told.get("features")),
        policy=_text(told.get("policy") or told.get("profile")),
        config_hash=record.config,
        attempts=tuple(attempts_of(record)),
        reward=Reward(
            cost=record.total_cost,
            latency_ms=_ms(record.latency_ms),
            time_to_first_token_ms=_maybe_ms(record.first_byte_ms),
        ),
        cost=record.cost,
        total_cost=record.total_cost,
        price_version=record.price_version,
    )


def _shared(record: Record) -> dict[str, Any]:
    decision, trace, told = record.decision, record.trace, _told(record)
    return {
        "event_id": record.decision_id or f"dec-{record.request_id}",
        "trace_id": _trace_id(record),
        "span_id": trace.span_id if trace is not None else "0" * 16,
        "parent_span_id": trace.parent_span_id if trace is not None else None,
        "timestamp_utc": moment(record.at),
        "timestamp_unix_ms": record.at // 1_000_000,
        "input": DecisionInput(
            requested_model=record.requested_model,
            query_length=_count(told.get("query_length")),
            user_id=record.user,
            team_id=record.team,
            api_type=record.surface,
            request_metadata={"tags": list(record.tags), "end_user": record.end_user},
        ),
        "strategy_name": decision.strategy if decision is not None else None,
        "strategy_version": decision.version if decision is not None else None,
        "selected_deployment": decision.chosen.model if decision is not None else record.group,
        "selection_reason": decision.reason if decision is not None else "a concrete model is honoured",
        "experiment": _experiment(told.get("experiment")),
        "timings": Timings(total_ms=_maybe_ms(record.routing_ms)),
        "outcome": _outcome(record),
        "fallback": _fallback(record),
        "custom_attributes": {name: value for name, value in told.items() if name not in _TOLD_ELSEWHERE},
    }


def _outcome(record: Record) -> Outcome:
    usage = record.usage
    return Outcome(
        status=_status(record),
        error_message=record.error,
        error_type=record.error_type,
        input_tokens=usage.input_tokens if usage is not None else None,
        output_tokens=usage.output_tokens if usage is not None else None,
        total_tokens=usage.total_tokens if usage is not None else None,
        api_type=record.surface,
    )


def _status(record: Record) -> Status:
    if record.status < 400:
        return "fallback" if _fell_back(record) else "success"
    if record.status in (408, 504):
        return "timeout"
    if not record.attempts:
        return "no_candidates" if record.stage == "attempt" else "error"
    return "failure"


def _fallback(record: Record) -> Fallback:
    if not _fell_back(record):
        return Fallback(fallback_triggered=False)
    first, last = record.attempts[0], record.attempts[-1]
    return Fallback(
        fallback_triggered=True,
        original_model=first.group,
        fallback_reason=first.error_type,
        fallback_attempt=last.number,
    )


def _fell_back(record: Record) -> bool:
    calls = record.attempts
    return len(calls) > 1 and calls[0].group != calls[-1].group


def _candidates(record: Record) -> tuple[Candidate, ...]:
    if record.decision is not None:
        return record.decision.candidates
    return (Candidate(record.group, 1.0),) if record.group is not None else ()


def _providers(record: Record) -> dict[str, str]:
    return {outcome.group: outcome.provider for outcome in record.attempts}


def _told(record: Record) -> Mapping[str, Any]:
    decision: Decision | None = record.decision
    return decision.attributes if decision is not None else {}


def _experiment(told: object) -> Experiment | None:
    if not isinstance(told, Mapping):
        return None
    known = Experiment.__dataclass_fields__
    return Experiment(**{name: value for name, value in told.items() if name in known})


def _trace_id(record: Record) -> str:
    return record.trace.trace_id if record.trace is not None else _NOBODY


def _text(value: object) -> str | None:
    return str(value) if value is not None else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _ms(value: float) -> float:
    return round(value, 3)


def _maybe_ms(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
