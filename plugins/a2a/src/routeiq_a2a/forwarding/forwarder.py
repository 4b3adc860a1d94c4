"""The request handler of all agents: each operation of A2A 1.0 goes to the agent, for tasks of the caller alone.

Both bindings and both versions end here. The wires, the road and the transports are told elsewhere.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from a2a.client.client import ClientCallContext
from a2a.client.transports.base import ClientTransport
from a2a.server.context import ServerCallContext
from a2a.server.request_handlers.request_handler import RequestHandler
from a2a.types import (
    AgentCard,
    CancelTaskRequest,
    DeleteTaskPushNotificationConfigRequest,
    GetExtendedAgentCardRequest,
    GetTaskPushNotificationConfigRequest,
    GetTaskRequest,
    ListTaskPushNotificationConfigsRequest,
    ListTaskPushNotificationConfigsResponse,
    ListTasksRequest,
    ListTasksResponse,
    Message,
    SendMessageConfiguration,
    SendMessageRequest,
    SendMessageResponse,
    StreamResponse,
    SubscribeToTaskRequest,
    Task,
    TaskPushNotificationConfig,
    TaskState,
)
from a2a.utils.errors import (
    A2AError,
    ExtensionSupportRequiredError,
    InvalidAgentResponseError,
    PushNotificationNotSupportedError,
    UnsupportedOperationError,
)
from a2a.utils.proto_utils import validate_proto_required_fields

from routeiq_a2a.cards.serving import ServedCards
from routeiq_a2a.cards.store import Cards
from routeiq_a2a.forwarding.callers import Caller, caller_of
from routeiq_a2a.forwarding.consent import Consents
from routeiq_a2a.forwarding.listing import listed
from routeiq_a2a.forwarding.pump import pumped
from routeiq_a2a.forwarding.road import Road
from routeiq_a2a.forwarding.tasks import TERMINAL, Tasks
from routeiq_a2a.push.hooks import Hook, Hooks
from routeiq_a2a.upstream.calling import Agents
from routeiq_a2a.wire.errors import invalid
from routeiq_a2a.wire.versions import V0_3
from routeiq_sdk import RequestError
from routeiq_sdk.values.delegation import ConsentNeeded


class Forwarder(RequestHandler):
    """Its `context` carries the `Caller`, of whom it is known that it may use the agent."""

    def __init__(
        self, cards: Cards, served: ServedCards, agents: Agents, tasks: Tasks, road: Road, hooks: Hooks
    ) -> None:
        self._cards = cards
        self._served = served
        self._agents = agents
        self._tasks = tasks
        self._road = road
        self._hooks = hooks
        self._consents = Consents(tasks)

    async def on_message_send(self, params: SendMessageRequest, context: ServerCallContext) -> Task | Message:
        """Send a message."""
        caller = caller_of(context)
        request = await self._checked(caller, params)
        hook, told = await self._hooked(caller, request)

        async def send(passed: SendMessageRequest) -> SendMessageResponse:
            going = _going(passed, told)
            answer = await self._agents.ask(
                caller.ctx, caller.agent, lambda t, c: t.send_message(going, context=c), caller.extensions
            )
            await self._saw(caller, _event(answer), hook)
            return answer

        try:
            answer = await self._road.send(caller, request, send)
        except ConsentNeeded as needed:
            await self._unhook(hook)
            return await self._consents.ask(caller, request.message, needed)
        except BaseException:
            await self._unhook(hook)
            raise
        if answer.WhichOneof("payload") != "task":
            return answer.message
        return _recent(answer.task, params.configuration)

    async def on_message_send_stream(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Any]:
        """Send a message, and tell what becomes of it as it comes."""
        caller = caller_of(context)
        await self._require_streaming(caller)
        request = await self._checked(caller, params)
        hook, told = await self._hooked(caller, request)

        async def listen(passed: SendMessageRequest) -> AsyncGenerator[StreamResponse]:
            going = _going(passed, told)
            waiting = hook
            events = self._agents.listen(
                caller.ctx, caller.agent, lambda t, c: t.send_message_streaming(going, context=c), caller.extensions
            )
            try:
                async for event in events:
                    waiting = await self._saw(caller, event, waiting)
                    yield event
            finally:
                await events.aclose()

        stream = self._road.listen(caller, request, listen)
        begun = False
        try:
            async for event in stream:
                begun = True
                yield _payload(event)
        except ConsentNeeded as needed:
            await self._unhook(hook)
            yield await self._consents.ask(caller, request.message, needed)
        except (A2AError, RequestError):
            if not begun:
                await self._unhook(hook)
            raise
        finally:
            await stream.aclose()

    async def on_get_task(self, params: GetTaskRequest, context: ServerCallContext) -> Task | None:
        """How a task stands."""
        caller = caller_of(context)
        await self._tasks.require(caller, params.id)
        if params.HasField("history_length") and params.history_length < 0:
            raise invalid("historyLength", "historyLength is not below 0.")
        known = await self._tasks.known(caller, params.id)
        if known is not None and known.question is not None:
            return known.task
        return _recent(await self._road.passed(caller, await self._fetch(caller, params)), params)

    async def on_list_tasks(self, params: ListTasksRequest, context: ServerCallContext) -> ListTasksResponse:
        """The caller's tasks."""
        caller = caller_of(context)

        async def fetch(task_id: str, history: int) -> Task:
            request = GetTaskRequest(id=task_id, history_length=history)
            return _recent(await self._road.passed(caller, await self._fetch(caller, request)), request)

        return await listed(self._tasks, caller, params, fetch)

    async def on_cancel_task(self, params: CancelTaskRequest, context: ServerCallContext) -> Task | None:
        """Cancel a task."""
        caller = caller_of(context)
        await self._tasks.require(caller, params.id)
        known = await self._tasks.known(caller, params.id)
        if known is not None and known.question is not None:
            known.task.status.state = TaskState.TASK_STATE_CANCELED
            await self._tasks.note(caller, known.task, known.question)
            return known.task
        going = CancelTaskRequest(id=params.id)
        if params.HasField("metadata"):
            going.metadata.CopyFrom(params.metadata)
        task = await self._agents.ask(
            caller.ctx, caller.agent, lambda t, c: t.cancel_task(going, context=c), caller.extensions
        )
        await self._same(caller, task, params.id)
        return await self._road.passed(caller, task)

    async def on_subscribe_to_task(
        self, params: SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[Any]:
        """What becomes of a task, from how it stands now."""
        caller = caller_of(context)
        await self._require_streaming(caller)
        await self._tasks.require(caller, params.id)
        known = await self._tasks.known(caller, params.id)
        if known is not None and known.question is not None:
            raise UnsupportedOperationError("Nothing becomes of this task until you agree to what it asks.")
        legacy = (await self._cards.of(caller.agent)).interface.version == V0_3
        first: Task | None = None
        if legacy:  # 0.3 begins with the next event, and 1.0 with the task
            first = await self._fetch(caller, GetTaskRequest(id=params.id))
            if first.status.state in TERMINAL:
                raise UnsupportedOperationError("The task has come to its end.")

        async def work(give: Any) -> None:
            going = SubscribeToTaskRequest(id=params.id)
            events = self._agents.listen(
                caller.ctx, caller.agent, lambda t, c: t.subscribe(going, context=c), caller.extensions
            )
            try:
                async for event in events:
                    await self._saw(caller, event, None)
                    await give(await self._road.passed(caller, event))
            finally:
                await events.aclose()

        if first is not None:
            yield await self._road.passed(caller, first)
        stream: AsyncGenerator[StreamResponse] = pumped(work)
        try:
            async for event in stream:
                yield _payload(event)
        finally:
            await stream.aclose()

    async def on_create_task_push_notification_config(
        self, params: TaskPushNotificationConfig, context: ServerCallContext
    ) -> TaskPushNotificationConfig:
        """Have a webhook called."""
        caller = await self._pushing(context, params.task_id)
        hook, told = await self._hooks.open(caller, params, params.task_id)
        try:
            await self._agents.ask(
                caller.ctx, caller.agent, lambda t, c: t.create_task_push_notification_config(told, context=c)
            )
        except BaseException:
            await self._unhook(hook)
            raise
        return hook.told

    async def on_get_task_push_notification_config(
        self, params: GetTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> TaskPushNotificationConfig:
        """One webhook. 0.3 may leave its id out and then means the first."""
        caller = await self._pushing(context, params.task_id)
        if not params.id:
            every = await self._hooks.of_task(caller, params.task_id)
            if every:
                return every[0].told
        return (await self._hooks.require(caller, params.task_id, params.id)).told

    async def on_list_task_push_notification_configs(
        self, params: ListTaskPushNotificationConfigsRequest, context: ServerCallContext
    ) -> ListTaskPushNotificationConfigsResponse:
        """All webhooks of a task."""
        caller = await self._pushing(context, params.task_id)
        every = await self._hooks.of_task(caller, params.task_id)
        return ListTaskPushNotificationConfigsResponse(configs=[hook.told for hook in every])

    async def on_delete_task_push_notification_config(
        self, params: DeleteTaskPushNotificationConfigRequest, context: ServerCallContext
    ) -> None:
        """Call a webhook no more. One that is gone already stays gone."""
        caller = await self._pushing(context, params.task_id)
        hook = await self._hooks.find(caller, params.task_id, params.id)
        if hook is None:
            return
        await self._hooks.remove(hook)
        going = DeleteTaskPushNotificationConfigRequest(task_id=params.task_id, id=hook.id)
        with contextlib.suppress(A2AError):  # what the agent still posts is refused
            await self._agents.ask(
                caller.ctx, caller.agent, lambda t, c: t.delete_task_push_notification_config(going, context=c)
            )

    async def on_get_extended_agent_card(
        self, params: GetExtendedAgentCardRequest, context: ServerCallContext
    ) -> AgentCard:
        """What the agent tells those who signed in."""
        caller = caller_of(context)
        if not (await self._cards.of(caller.agent)).upstream.capabilities.extended_agent_card:
            raise UnsupportedOperationError("The agent has no extended card.")
        request = GetExtendedAgentCardRequest()

        async def ask(transport: ClientTransport, call: ClientCallContext) -> AgentCard:
            return await transport.get_extended_agent_card(request, context=call)

        card = await self._agents.ask(caller.ctx, caller.agent, ask, caller.extensions)
        return await self._served.extended(caller.ctx, caller.agent, card, caller.base)

    async def _checked(self, caller: Caller, params: SendMessageRequest) -> SendMessageRequest:
        validate_proto_required_fields(params)
        request = SendMessageRequest()
        request.CopyFrom(params)
        request.ClearField("tenant")  # tenants are between the gateway and the agent
        card = await self._cards.of(caller.agent)
        for extension in card.upstream.capabilities.extensions:
            if extension.required and extension.uri not in caller.extensions:
                raise ExtensionSupportRequiredError(
                    f"The agent needs the extension {extension.uri}; name it in the header A2A-Extensions."
                )
        await self._tasks.check_message(caller, request.message)
        if request.configuration.history_length < 0:
            raise invalid("configuration.historyLength", "historyLength is not below 0.")
        await self._tasks.continued(caller, request.message)
        return await self._consents.continued(caller, request)

    async def _hooked(
        self, caller: Caller, request: SendMessageRequest
    ) -> tuple[Hook | None, TaskPushNotificationConfig | None]:
        configuration = request.configuration
        if not configuration.HasField("task_push_notification_config"):
            return None, None
        await self._require_push(caller)
        return await self._hooks.open(
            caller, configuration.task_push_notification_config, request.message.task_id or None
        )

    async def _unhook(self, hook: Hook | None) -> None:
        if hook is not None:
            await self._hooks.remove(hook)

    async def _saw(self, caller: Caller, event: StreamResponse, hook: Hook | None) -> Hook | None:
        await self._tasks.saw(caller, event)
        kind = event.WhichOneof("payload")
        if hook is None or hook.task is not None or kind == "message":
            return hook
        return await self._hooks.bind(hook, event.task.id if kind == "task" else getattr(event, kind or "").task_id)

    async def _fetch(self, caller: Caller, params: GetTaskRequest) -> Task:
        going = GetTaskRequest(id=params.id)
        if params.HasField("history_length"):
            going.history_length = params.history_length
        task = await self._agents.ask(
            caller.ctx, caller.agent, lambda t, c: t.get_task(going, context=c), caller.extensions
        )
        await self._same(caller, task, params.id)
        return task

    async def _same(self, caller: Caller, task: Task, task_id: str) -> None:
        if task.id != task_id:
            raise InvalidAgentResponseError(f"The agent {caller.agent.name!r} answered with another task.")
        await self._tasks.saw(caller, StreamResponse(task=task))

    async def _require_streaming(self, caller: Caller) -> None:
        if not (await self._cards.of(caller.agent)).upstream.capabilities.streaming:
            raise UnsupportedOperationError("The agent does not stream.")

    async def _require_push(self, caller: Caller) -> None:
        capabilities = (await self._cards.of(caller.agent)).upstream.capabilities
        if not (caller.agent.push and capabilities.push_notifications):
            raise PushNotificationNotSupportedError

    async def _pushing(self, context: ServerCallContext, task_id: str) -> Caller:
        caller = caller_of(context)
        await self._require_push(caller)
        if not task_id:
            raise invalid("taskId", "The taskId is missing.")
        await self._tasks.require(caller, task_id)
        return caller


def _going(passed: SendMessageRequest, told: TaskPushNotificationConfig | None) -> SendMessageRequest:
    """The message as it leaves: with the gateway's webhook in the place of the client's."""
    if told is not None:
        passed.configuration.task_push_notification_config.CopyFrom(told)
    return passed


def _recent(task: Task, asked: GetTaskRequest | SendMessageConfiguration) -> Task:
    """A task with no more history than asked for, whatever its agent made of the number."""
    if asked.HasField("history_length"):
        del task.history[: max(0, len(task.history) - asked.history_length)]
    return task


def _event(answer: SendMessageResponse) -> StreamResponse:
    kind = answer.WhichOneof("payload")
    if kind == "task":
        return StreamResponse(task=answer.task)
    return StreamResponse(message=answer.message) if kind == "message" else StreamResponse()


def _payload(event: StreamResponse) -> Any:
    return getattr(event, event.WhichOneof("payload") or "message")
