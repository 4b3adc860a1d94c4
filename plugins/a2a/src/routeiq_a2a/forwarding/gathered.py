"""The whole of what a stream brought, for those who look at whole answers: guards, the record, chat models.

Nothing here talks to anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from a2a.types import Artifact, Message, Part, StreamResponse, Task, TaskState

from routeiq_a2a.protojson import to_json

_FAILED = frozenset({TaskState.TASK_STATE_FAILED, TaskState.TASK_STATE_REJECTED})


class Gathered:
    """Takes the events of one stream."""

    def __init__(self) -> None:
        self.task: Task | None = None
        self.message: Message | None = None
        self._words: list[Message] = []

    def take(self, event: StreamResponse) -> None:
        """One event."""
        kind = event.WhichOneof("payload")
        if kind == "message":
            self.message = event.message
            return
        if kind == "task":
            self.task = Task()
            self.task.CopyFrom(event.task)
            return
        task = self.task = self.task or Task()
        if kind == "status_update":
            task.id, task.context_id = event.status_update.task_id, event.status_update.context_id
            if task.status.HasField("message"):
                task.history.append(task.status.message)
            task.status.CopyFrom(event.status_update.status)
        elif kind == "artifact_update":
            update = event.artifact_update
            task.id, task.context_id = update.task_id, update.context_id
            known = next((each for each in task.artifacts if each.artifact_id == update.artifact.artifact_id), None)
            if known is None:
                task.artifacts.append(update.artifact)
            elif update.append:
                known.parts.extend(update.artifact.parts)
            else:
                known.CopyFrom(update.artifact)

    @property
    def content(self) -> Mapping[str, Any]:
        """The answer in the form of `SendMessageResponse`, neighbouring pieces of text joined: a text that was cut in
        the middle is whole again."""
        if self.task is not None:
            whole = Task()
            whole.CopyFrom(self.task)
            for artifact in whole.artifacts:
                _join(artifact)
            return {"task": to_json(whole)}
        return {"message": to_json(self.message)} if self.message is not None else {}

    @property
    def failed(self) -> bool:
        """Whether the task did not come to a good end."""
        return self.task is not None and self.task.status.state in _FAILED


def _join(artifact: Artifact) -> None:
    joined: list[Part] = []
    for part in artifact.parts:
        if joined and part.WhichOneof("content") == "text" and joined[-1].WhichOneof("content") == "text":
            joined[-1].text += part.text
        else:
            copy = Part()
            copy.CopyFrom(part)
            joined.append(copy)
    del artifact.parts[:]
    artifact.parts.extend(joined)


def failed(task: Task) -> bool:
    """Whether a task did not come to a good end."""
    return task.status.state in _FAILED
