"""Whose task it is: an id belongs to the caller who got it first. Kept in the state store, for all replicas.

For anybody else a task does not exist.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from a2a.types import (
    Message,
    StreamResponse,
    Task,
    TaskState,
    TaskStatus,
)
from a2a.utils.errors import InvalidAgentResponseError, TaskNotFoundError, UnsupportedOperationError

from routeiq_a2a.forwarding.callers import Caller
from routeiq_a2a.protojson import of_json, to_json
from routeiq_a2a.wire.errors import invalid
from routeiq_sdk import Gateway

_OWNERS = "a2a.owners"
_CONTEXTS = "a2a.contexts"
_TASKS = "a2a.tasks"
TERMINAL = frozenset(
    {
        TaskState.TASK_STATE_COMPLETED,
        TaskState.TASK_STATE_FAILED,
        TaskState.TASK_STATE_CANCELED,
        TaskState.TASK_STATE_REJECTED,
    }
)


@dataclass(frozen=True, slots=True)
class Known:
    """A task as it was when it last came by, without its history and artifacts. `question` is that of a task which
    the gateway made itself, to ask for the caller's consent."""

    task: Task
    updated_ns: int
    question: str | None = None


class Tasks:
    """The tasks of all callers."""

    def __init__(self, gateway: Gateway, *, days: float) -> None:
        self._state = gateway.state
        self._clock = gateway.clock
        self._seconds = days * 86_400

    async def require(self, caller: Caller, task_id: str) -> None:
        """Raises `TaskNotFoundError` unless the task is this caller's."""
        if not task_id or not await self.is_owned(caller, task_id):
            raise TaskNotFoundError

    async def is_owned(self, caller: Caller, task_id: str) -> bool:
        """Whether the task is this caller's."""
        owner = await self._state.get(_OWNERS, _key(caller, task_id))
        return owner is not None and owner.decode() == caller.owner

    async def claim(self, caller: Caller, task_id: str) -> None:
        """The agent gave this caller a task. Raises `InvalidAgentResponseError` when it is somebody else's: an agent
        must not hand one caller's task to another."""
        if not await self._take(_OWNERS, _key(caller, task_id), caller.owner):
            raise InvalidAgentResponseError(f"The agent {caller.agent.name!r} answered with a task that is not yours.")

    async def check_message(self, caller: Caller, message: Message) -> None:
        """Whether a message names only what is this caller's. Raises an `A2AError`."""
        for task_id in (message.task_id, *message.reference_task_ids):
            if task_id:
                await self.require(caller, task_id)
        if message.context_id and not await self._take(_CONTEXTS, _key(caller, message.context_id), caller.owner):
            text = "This contextId is in use by somebody else; leave it out to get a new one."
            raise invalid("message.contextId", text)

    async def continued(self, caller: Caller, message: Message) -> None:
        """Whether the task that a message names still takes one, in its own context, which the message is given.
        Raises an `A2AError`."""
        known = await self.known(caller, message.task_id) if message.task_id else None
        if known is None or known.question is not None:
            return
        if known.task.status.state in TERMINAL:
            raise UnsupportedOperationError("The task has come to its end; send a message without a taskId.")
        context_id = known.task.context_id
        if context_id and message.context_id not in ("", context_id):
            raise invalid("message.contextId", "The contextId is not the task's; leave it out.")
        message.context_id = context_id or message.context_id

    async def saw(self, caller: Caller, event: StreamResponse) -> None:
        """Note what an agent's answer says of a task. Raises `InvalidAgentResponseError`."""
        kind = event.WhichOneof("payload")
        if kind is None:
            raise InvalidAgentResponseError(f"The agent {caller.agent.name!r} answered with neither task nor message.")
        payload = getattr(event, kind)
        task_id = payload.id if kind == "task" else payload.task_id
        if kind != "message" and not task_id:
            raise InvalidAgentResponseError(f"The agent {caller.agent.name!r} answered with a task without an id.")
        if task_id:
            await self.claim(caller, task_id)
        context_id = payload.context_id
        if context_id and not await self._take(_CONTEXTS, _key(caller, context_id), caller.owner):
            raise InvalidAgentResponseError(f"The agent {caller.agent.name!r} answered in a context that is not yours.")
        if kind == "task":
            await self.note(caller, payload)
        elif kind == "status_update":
            await self.note(caller, Task(id=task_id, context_id=context_id, status=payload.status))

    async def note(self, caller: Caller, task: Task, question: str | None = None) -> None:
        """Keep how a task stands."""
        small = Task(id=task.id, context_id=task.context_id, status=task.status)
        if task.HasField("metadata"):
            small.metadata.CopyFrom(task.metadata)
        record = {"task": to_json(small), "updated": _moment(task.status, self._clock.now_ns())}
        if question is not None:
            record["question"] = question
        await self._state.put(_TASKS, _record(caller, task.id), orjson.dumps(record), ttl_seconds=self._seconds)

    async def known(self, caller: Caller, task_id: str) -> Known | None:
        """A task of this caller as it stood last."""
        raw = await self._state.get(_TASKS, _record(caller, task_id))
        return _known(orjson.loads(raw)) if raw is not None else None

    async def all_of(self, caller: Caller) -> list[Known]:
        """The caller's tasks at this agent, the last changed first."""
        found = [
            _known(orjson.loads(raw)) async for _, raw in self._state.scan(_TASKS, f"{caller.agent.id}/{caller.owner}/")
        ]
        return sorted(found, key=lambda each: (-each.updated_ns, each.task.id))

    async def _take(self, table: str, key: str, owner: str) -> bool:
        mine = owner.encode()
        if await self._state.put_if(table, key, mine, expected=None):
            await self._state.put(table, key, mine, ttl_seconds=self._seconds)
            return True
        return await self._state.get(table, key) == mine


def _key(caller: Caller, id: str) -> str:
    return f"{caller.agent.id}/{hashlib.sha256(id.encode()).hexdigest()}"


def _record(caller: Caller, task_id: str) -> str:
    return f"{caller.agent.id}/{caller.owner}/{hashlib.sha256(task_id.encode()).hexdigest()}"


def _known(record: Mapping[str, Any]) -> Known:
    task = of_json(record["task"], Task())
    return Known(task, int(record["updated"]), record.get("question"))


def _moment(status: TaskStatus, now_ns: int) -> int:
    if status.HasField("timestamp"):
        told = status.timestamp.ToNanoseconds()
        if 0 < told <= now_ns:  # an agent's clock may be ahead: its tasks must not stay on top for ever
            return int(told)
    return now_ns
