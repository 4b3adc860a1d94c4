"""What is told about a request: the fields of LiteLLM's standard logging payload, made from the record.

Where it goes is `targets`' business; what of its texts may be told was decided by `Messages`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from routeiq_sdk import Record
from routeiq_sdk.events import GUARD_HOOKS
from routeiq_sdk.messages import Messages

if TYPE_CHECKING:
    from routeiq_callbacks.finished import Finished

Payload = dict[str, Any]

MASKED = "**********"
_NANO = 1e-9
_MOST_ERROR = 4000
_MOST_NAME = 500
_CALL_TYPES = {
    "chat": "acompletion",
    "completions": "atext_completion",
    "embeddings": "aembedding",
    "messages": "anthropic_messages",
    "responses": "aresponses",
}
"""LiteLLM's word for what a surface does; other surfaces go by their own names."""
_WHO = frozenset(
    f"user_api_key_{name}"
    for name in (
        *("hash", "alias", "user_id", "user_email", "team_id", "team_alias", "org_id", "org_alias", "end_user_id"),
    )
)
_KEYS = re.compile(r"\b(?:sk|pk|rk|xai|gsk|AIza|ghp|gho|hf|AKIA|ASIA)[-_A-Za-z0-9*.]{8,}|\b[Bb]earer\s+\S{8,}")
_MODES = {"guard_request": "pre_call", "guard_during": "during_call", "guard_tool_call": "pre_mcp_call"}
_STATUSES = {"fail": "guardrail_failed_to_respond"}


class Shape:
    """How payloads are made under one configuration. `api_base` tells where a deployment is served."""

    def __init__(
        self,
        messages: Messages,
        *,
        redact_callers: bool,
        excluded: frozenset[str],
        api_base: Callable[[Record], str | None] = lambda record: None,
    ) -> None:
        self.messages = messages
        self.redact_callers = redact_callers
        self.api_base = api_base
        self._excluded = excluded

    def payload(self, finished: Finished, prompt: Any, answer: Any) -> Payload:
        """The payload of a request whose texts are these."""
        record = finished.record
        usage, attempts = record.usage, record.attempts
        last = attempts[-1] if attempts else None
        start = record.at / 1e9
        end = start + record.latency_ms / 1000
        first = first_byte(record)
        failed = not finished.ok
        asked = record.requested_model[:_MOST_NAME] if record.requested_model is not None else None
        cost = record.cost * _NANO if record.cost is not None else None
        told_usage, guards = _usage(record), _guards(record)
        api_base = self.api_base(record)
        told: Payload = {
            "id": answer_id(finished),
            "litellm_call_id": record.request_id,
            "trace_id": record.trace.trace_id if record.trace is not None else record.request_id,
            "session_id": session_of(finished),
            "call_type": _CALL_TYPES.get(record.surface, record.surface),
            "stream": record.stream,
            "status": "failure" if failed else "success",
            "status_fields": {
                "llm_api_status": "success" if last is not None and last.ok else "failure",
                "guardrail_status": "guardrail_intervened" if guards else "not_run",
            },
            "status_code": record.status,
            "custom_llm_provider": record.provider,
            "response_cost": cost,
            "cost_of_all_attempts": record.total_cost * _NANO if record.total_cost is not None else None,
            "total_tokens": usage.total_tokens if usage is not None else 0,
            "prompt_tokens": usage.input_tokens if usage is not None else 0,
            "completion_tokens": usage.output_tokens if usage is not None else 0,
            "startTime": start,
            "endTime": end,
            "completionStartTime": first if first is not None else end,
            "response_time": record.latency_ms / 1000,
            "model": record.model or asked or "",
            "model_group": record.group or asked,
            "model_id": record.deployment_id,
            "model_map_information": {"model_map_key": record.model or "", "model_map_value": None},
            "api_base": api_base or "",
            "metadata": self._metadata(finished, told_usage, guards),
            "cache_hit": False,
            "cache_key": None,
            "saved_cache_cost": 0.0,
            "request_tags": list(record.tags),
            "end_user": record.end_user or "",
            "requester_ip_address": record.client,
            "user_agent": finished.user_agent,
            "messages": prompt,
            "response": answer,
            "error_str": without_keys(record.error) if failed else None,
            "error_information": _error(record) if failed else None,
            "model_parameters": finished.parameters,
            "guardrail_information": guards,
            "hidden_params": {
                "model_id": record.deployment_id,
                "cache_key": None,
                "api_base": api_base,
                "response_cost": cost,
                "litellm_overhead_time_ms": record.overhead_ms,
                "additional_headers": None,
                "batch_models": None,
                "litellm_model_name": record.model,
                "usage_object": told_usage,
            },
            "routeiq": _routeiq(record),
        }
        if self._excluded:
            return {name: value for name, value in told.items() if name not in self._excluded}
        return told

    def _metadata(self, finished: Finished, usage: Payload | None, guards: list[Payload] | None) -> Payload:
        record, principal = finished.record, finished.principal
        attributes: Mapping[str, Any] = principal.attributes if principal is not None else {}
        told: Payload = {
            "user_api_key_hash": record.principal,
            "user_api_key_alias": record.key_alias,
            "user_api_key_user_id": record.user,
            "user_api_key_user_email": attributes.get("user_email"),
            "user_api_key_team_id": record.team,
            "user_api_key_team_alias": attributes.get("team_alias"),
            "user_api_key_org_id": record.organization,
            "user_api_key_org_alias": attributes.get("organization_alias"),
            "user_api_key_end_user_id": record.end_user,
            "user_api_key_request_route": record.route,
            "requester_ip_address": record.client,
            "user_agent": finished.user_agent,
            "requester_metadata": finished.metadata,
            "applied_guardrails": sorted({each["guardrail_name"] for each in guards or ()}),
            "usage_object": usage,
        }
        if self.redact_callers:
            told |= {name: MASKED for name in _WHO if told[name] is not None}
        return told


def answer_id(finished: Finished) -> str:
    """The id under which LiteLLM's users look for a request: the answer's, or the call's when it failed."""
    last = finished.record.attempts[-1] if finished.record.attempts else None
    answered = last.response_id if last is not None and finished.ok else None
    return answered or finished.record.request_id


def first_byte(record: Record) -> float | None:
    """When the answer began, in Unix seconds."""
    last = record.attempts[-1] if record.attempts else None
    if last is None or last.first_byte_ms is None:
        return None
    return record.at / 1e9 + (last.started_ms + last.first_byte_ms) / 1000


def session_of(finished: Finished) -> str | None:
    """The conversation that the client says the request belongs to."""
    return finished.wishes.get("session_id") or finished.session


def without_keys(text: str | None) -> str | None:
    """An error's text, cut, and without what looks like a provider's key: some providers repeat what they were sent."""
    return _KEYS.sub("[masked]", text[:_MOST_ERROR]) if text else text


def spelled(value: Any) -> bytes:
    """JSON text of any JSON data. What has no place in JSON is replaced, so that no request can stop others."""
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError):  # half a surrogate pair, an integer beyond 64 bits
        return json.dumps(value, default=str, ensure_ascii=False).encode("utf-8", "replace")


def iso(seconds: float) -> str:
    """Unix seconds as ISO 8601."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _usage(record: Record) -> Payload | None:
    usage = record.usage
    if usage is None:
        return None
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
    }


def _guards(record: Record) -> list[Payload] | None:
    found = [
        {
            "guardrail_name": ruling.plugin,
            "guardrail_mode": _MODES.get(ruling.hook, "post_call"),
            "guardrail_status": _STATUSES.get(ruling.action, "guardrail_intervened"),
        }
        for ruling in record.rulings
        if ruling.hook in GUARD_HOOKS
    ]
    return found or None


def _error(record: Record) -> Payload:
    return {
        "error_code": str(record.status),
        "error_class": record.error_type,
        "llm_provider": record.provider,
        "traceback": None,
        "error_message": without_keys(record.error),
    }


def _routeiq(record: Record) -> Payload:
    decision = record.decision
    return {
        "decision_id": record.decision_id,
        "strategy": decision.strategy if decision is not None else None,
        "reason": decision.reason if decision is not None else None,
        "attempts": len(record.attempts),
        "stage": record.stage,
        "config": record.config,
    }
