"""Asking for a caller's consent in the words of the protocol: a task of the gateway's own, in the state auth-required.

Its message names the page to open. A message to that task, or a new one, then goes to the agent.
"""

from __future__ import annotations

import uuid

from a2a.types import Message, Part, Role, SendMessageRequest, Task, TaskState, TaskStatus
from google.protobuf.timestamp_pb2 import Timestamp

from routeiq_a2a.forwarding.callers import Caller
from routeiq_a2a.forwarding.tasks import Tasks
from routeiq_sdk.values.delegation import ConsentNeeded

CONSENT = "routeiq.consent"


class Consents:
    """The tasks that stand for questions."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    async def ask(self, caller: Caller, sent: Message, needed: ConsentNeeded) -> Task:
        """The task that asks."""
        task_id = f"consent-{uuid.uuid4()}"
        now = Timestamp()
        now.GetCurrentTime()
        context_id = sent.context_id or str(uuid.uuid4())
        text = f"{needed} Open {needed.url}, agree, and send your message again."
        told = Message(
            message_id=str(uuid.uuid4()),
            context_id=context_id,
            task_id=task_id,
            role=Role.ROLE_AGENT,
            parts=[Part(text=text), Part(url=needed.url, media_type="text/html")],
        )
        task = Task(
            id=task_id,
            context_id=context_id,
            status=TaskStatus(state=TaskState.TASK_STATE_AUTH_REQUIRED, message=told, timestamp=now),
            metadata={CONSENT: {"url": needed.url, "id": needed.id}},
        )
        await self._tasks.claim(caller, task_id)
        await self._tasks.note(caller, task, question=needed.id)
        return task

    async def continued(self, caller: Caller, request: SendMessageRequest) -> SendMessageRequest:
        """A message to a task of ours means a new one to the agent, which never heard of ours."""
        task_id = request.message.task_id
        if not task_id.startswith("consent-"):
            return request
        known = await self._tasks.known(caller, task_id)
        if known is None or known.question is None:
            return request
        done = Task()
        done.CopyFrom(known.task)
        done.status.state = TaskState.TASK_STATE_CANCELED
        await self._tasks.note(caller, done, question=known.question)
        fresh = SendMessageRequest()
        fresh.CopyFrom(request)
        fresh.message.ClearField("task_id")
        return fresh
