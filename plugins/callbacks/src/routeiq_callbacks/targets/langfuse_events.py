"""Langfuse's ingestion events: `trace-create` and `generation-create`.

Fields are those of its public API; what they say is `generation`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from routeiq_callbacks.payload import iso
from routeiq_callbacks.targets.generation import Generation


def events(told: Generation) -> Iterator[dict[str, Any]]:
    """The trace, unless the client began it, and the generation."""
    start, end = iso(told.start), iso(told.end)
    if not told.continues:
        trace = {
            "id": told.trace_id,
            "timestamp": start,
            "name": told.trace_name,
            "userId": told.user,
            "sessionId": told.session,
            "tags": told.tags,
            "release": told.release,
            "version": told.trace_version,
            "environment": told.environment,
            "input": told.input,
            "output": told.output,
            "metadata": told.metadata,
        }
        yield _event(told, "trace", start, trace)
    yield _event(
        told,
        "generation",
        end,
        {
            "id": told.id,
            "traceId": told.trace_id,
            "parentObservationId": told.parent_id,
            "name": told.name,
            "startTime": start,
            "endTime": end,
            "completionStartTime": iso(told.first) if told.first is not None else None,
            "model": told.model,
            "modelParameters": told.parameters,
            "input": told.input,
            "output": told.output,
            "usageDetails": told.usage,
            "costDetails": told.cost,
            "level": "ERROR" if told.failed else "DEFAULT",
            "statusMessage": told.status_message,
            "version": told.version,
            "environment": told.environment,
            "metadata": told.metadata,
        },
    )


def _event(told: Generation, kind: str, at: str, body: dict[str, Any]) -> dict[str, Any]:
    said = {name: value for name, value in body.items() if value is not None}
    return {"id": f"{told.request_id}-{kind}", "type": f"{kind}-create", "timestamp": at, "body": said}
