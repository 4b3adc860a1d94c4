"""A generation as an OpenTelemetry span in OTLP's JSON form, with the attributes that Langfuse reads.

Traces for OpenTelemetry's own sake are another plugin's.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from routeiq_callbacks.payload import iso, spelled
from routeiq_callbacks.targets.generation import Generation

_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_SPAN_ID = re.compile(r"[0-9a-f]{16}")
_INTERNAL = 1
_ERROR = 2


def span(told: Generation) -> dict[str, Any]:
    """The span. Ids that are none of OpenTelemetry's are hashed, as Langfuse's own libraries do."""
    values: dict[str, Any] = {
        "langfuse.observation.type": "generation",
        "langfuse.observation.model.name": told.model,
        "langfuse.observation.model.parameters": _json(told.parameters),
        "langfuse.observation.usage_details": _json(told.usage),
        "langfuse.observation.cost_details": _json(told.cost),
        "langfuse.observation.completion_start_time": _json(iso(told.first)) if told.first is not None else None,
        "langfuse.observation.input": _json(told.input),
        "langfuse.observation.output": _json(told.output),
        "langfuse.observation.level": "ERROR" if told.failed else "DEFAULT",
        "langfuse.observation.status_message": told.status_message,
        "langfuse.observation.metadata": _json(told.metadata),
        "langfuse.environment": told.environment,
        "langfuse.release": told.release,
        "langfuse.version": told.version or told.trace_version,
        "user.id": told.user,
        "session.id": told.session,
    }
    if not told.continues:
        values |= {"langfuse.trace.name": told.trace_name, "langfuse.trace.tags": told.tags or None}
    made = {
        "traceId": _id(told.trace_id, _TRACE_ID, 32),
        "spanId": _id(told.id, _SPAN_ID, 16),
        "name": told.name,
        "kind": _INTERNAL,
        "startTimeUnixNano": str(round(told.start * 1e9)),
        "endTimeUnixNano": str(round(told.end * 1e9)),
        "attributes": [
            {"key": name, "value": _value(value)} for name, value in values.items() if value not in (None, "")
        ],
        "status": {"code": _ERROR, "message": told.status_message or ""} if told.failed else {},
    }
    if told.parent_id:
        made["parentSpanId"] = _id(told.parent_id, _SPAN_ID, 16)
    return made


def _id(told: str, form: re.Pattern[str], digits: int) -> str:
    if form.fullmatch(told) and told.strip("0"):
        return told
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()[:digits]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {"arrayValue": {"values": [{"stringValue": str(each)} for each in value]}}
    return {"stringValue": str(value)}


def _json(value: Any) -> str | None:
    return spelled(value).decode() if value not in (None, {}, []) else None
