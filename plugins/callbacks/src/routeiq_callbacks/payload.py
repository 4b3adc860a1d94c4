"""What is told about a request: the fields of LiteLLM's standard logging payload, made from the record.

Where it goes is `targets`' business; what of its texts may be told was decided by `Messages`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from routeiq_sdk import Context, Record
from routeiq_sdk.messages import Messages

_NANO = 1e-9
_MASKED = "**********"
_WHO = (
    "user_api_key_hash",
    "user_api_key_alias",
    "user_api_key_user_id",
    "user_api_key_user_email",
    "user_api_key_team_id",
    "user_api_key_team_alias",
    "user_api_key_org_id",
    "user_api_key_end_user_id",
)
_PARAMETERS = (
    *("temperature", "top_p", "max_tokens", "max_completion_tokens", "stream", "n", "stop", "seed", "tool_choice"),
    *("presence_penalty", "frequency_penalty", "response_format", "reasoning_effort", "parallel_tool_calls"),
)


class Finished:
    """One finished request. Its payload is made when the first target asks for it."""

    def __init__(self, ctx: Context, record: Record, shape: Shape) -> None:
        self.ctx = ctx
        self.record = record
        self._shape = shape

    @property
    def ok(self) -> bool:
        """Whether the client got an answer."""
        return self.record.status < 400

    @cached_property
    def payload(self) -> dict[str, Any]:
        """The payload as JSON data."""
        return self._shape.payload(self.ctx, self.record)


class Shape:
    """How payloads are made under one configuration."""

    def __init__(self, messages: Messages, *, redact_callers: bool, excluded: frozenset[str]) -> None:
        self._messages = messages
        self._redact_callers = redact_callers
        self._excluded = excluded

    def payload(self, ctx: Context, record: Record) -> dict[str, Any]:
        """The payload of a request."""
        last = record.attempts[-1] if record.attempts else None
        usage = record.usage
        start = record.at / 1e9
        end = start + record.latency_ms / 1000
        first = None
        if last is not None and last.first_byte_ms is not None:
            first = start + (last.started_ms + last.first_byte_ms) / 1000
        failed = record.status >= 400
        answered = last.response_id if last is not None else None
        told: dict[str, Any] = {
            "id": answered or record.request_id,
            "litellm_call_id": record.request_id,
            "trace_id": record.trace.trace_id if record.trace is not None else record.request_id,
            "call_type": record.surface,
            "stream": record.stream,
            "status": "failure" if failed else "success",
            "status_code": record.status,
            "response_cost": record.cost * _NANO if record.cost is not None else None,
            "total_cost_of_attempts": record.total_cost * _NANO if record.total_cost is not None else None,
            "total_tokens": usage.total_tokens if usage is not None else 0,
            "prompt_tokens": usage.input_tokens if usage is not None else 0,
            "completion_tokens": usage.output_tokens if usage is not None else 0,
            "startTime": start,
            "endTime": end,
            "completionStartTime": first,
            "response_time": record.latency_ms / 1000,
            "model": record.model or record.requested_model or "",
            "model_group": record.group or record.requested_model,
            "model_id": record.deployment_id,
            "custom_llm_provider": record.provider,
            "metadata": self._metadata(ctx, record),
            "cache_hit": False,
            "request_tags": list(record.tags),
            "end_user": record.end_user or "",
            "requester_ip_address": record.client,
            "messages": self._messages.prompt(ctx),
            "response": self._messages.answer(ctx),
            "error_str": record.error if failed else None,
            "error_information": _error(record) if failed else None,
            "model_parameters": _parameters(ctx),
            "hidden_params": {
                "model_id": record.deployment_id,
                "response_cost": record.cost * _NANO if record.cost is not None else None,
                "litellm_overhead_time_ms": record.overhead_ms,
                "litellm_model_name": record.model,
            },
            "routeiq": _routeiq(record),
        }
        return {name: value for name, value in told.items() if name not in self._excluded}

    def _metadata(self, ctx: Context, record: Record) -> dict[str, Any]:
        principal = ctx.identified
        attributes: Mapping[str, Any] = principal.attributes if principal is not None else {}
        told: dict[str, Any] = {
            "user_api_key_hash": record.principal,
            "user_api_key_alias": record.key_alias,
            "user_api_key_user_id": record.user,
            "user_api_key_user_email": attributes.get("user_email"),
            "user_api_key_team_id": record.team,
            "user_api_key_team_alias": attributes.get("team_alias"),
            "user_api_key_org_id": record.organization,
            "user_api_key_end_user_id": record.end_user,
            "user_api_key_request_route": record.route,
            "requester_ip_address": record.client,
        }
        if self._redact_callers:
            told |= {name: _MASKED for name in _WHO if told[name] is not None}
        return told


def _error(record: Record) -> dict[str, Any]:
    return {
        "error_code": str(record.status),
        "error_class": record.error_type,
        "llm_provider": record.provider,
        "error_message": record.error,
    }


def _parameters(ctx: Context) -> dict[str, Any]:
    asked = ctx.asked
    if asked is None:
        return {}
    return {name: value for name in _PARAMETERS if (value := asked.param(name)) is not None}


def _routeiq(record: Record) -> dict[str, Any]:
    decision = record.decision
    return {
        "decision_id": record.decision_id,
        "strategy": decision.strategy if decision is not None else None,
        "reason": decision.reason if decision is not None else None,
        "attempts": len(record.attempts),
        "config": record.config,
    }


def iso(seconds: float) -> str:
    """Unix seconds as ISO 8601."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
