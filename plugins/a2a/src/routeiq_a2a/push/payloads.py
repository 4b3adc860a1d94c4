"""What an agent posts to a webhook and what a client expects there, in the words of either version.

Who posted it, and to whom it goes, is told elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from a2a.compat.v0_3 import conversions
from a2a.compat.v0_3 import types as v0_3
from a2a.types import StreamResponse, TaskStatus, TaskStatusUpdateEvent
from google.protobuf.json_format import ParseError
from pydantic import ValidationError

from routeiq_a2a.protojson import of_json, to_json
from routeiq_a2a.wire.versions import V0_3


def read(payload: Any) -> StreamResponse | None:
    """The event that an agent posted; `None` for what is none."""
    if not isinstance(payload, dict):
        return None
    try:
        if "kind" in payload or ("status" in payload and "id" in payload):
            return _of_0_3(payload)
        event = of_json(payload, StreamResponse())
    except (ParseError, ValidationError, ValueError):
        return None
    return event if event.WhichOneof("payload") else None


def written(event: StreamResponse, version: str) -> Mapping[str, Any]:
    """The event for a client. 0.3 clients expect the task, or the event itself, without a frame."""
    if version != V0_3:
        return to_json(event)
    result = conversions.to_compat_stream_response(event, "").result
    shown: Mapping[str, Any] = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    return shown


def bare(event: StreamResponse) -> StreamResponse:
    """That the task changed and how it stands, without a word of the agent's."""
    task_id, context_id, status = _where(event)
    update = TaskStatusUpdateEvent(task_id=task_id, context_id=context_id)
    if status is not None:
        update.status.state = status.state
        if status.HasField("timestamp"):
            update.status.timestamp.CopyFrom(status.timestamp)
    return StreamResponse(status_update=update)


def task_of(event: StreamResponse) -> str:
    """The id of the task that an event is about."""
    return _where(event)[0]


def _where(event: StreamResponse) -> tuple[str, str, TaskStatus | None]:
    kind = event.WhichOneof("payload")
    if kind == "task":
        return event.task.id, event.task.context_id, event.task.status
    if kind == "status_update":
        update = event.status_update
        return update.task_id, update.context_id, update.status
    payload = event.message if kind == "message" else event.artifact_update
    return payload.task_id, payload.context_id, None


def _of_0_3(payload: Mapping[str, Any]) -> StreamResponse:
    kind = payload.get("kind", "task")
    result: Any
    if kind == "message":
        result = v0_3.Message.model_validate(payload)
    elif kind == "status-update":
        result = v0_3.TaskStatusUpdateEvent.model_validate(payload)
    elif kind == "artifact-update":
        result = v0_3.TaskArtifactUpdateEvent.model_validate(payload)
    else:
        result = v0_3.Task.model_validate(payload)
    return conversions.to_core_stream_response(v0_3.SendStreamingMessageSuccessResponse(result=result))
