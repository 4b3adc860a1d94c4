"""The road of a message to an agent: permission, guards, accounts and the record are the gateway's; here is its middle.

Messages walk it whole. What is fetched of a task later passes the guards of results.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar

from a2a.types import SendMessageRequest, SendMessageResponse, StreamResponse, Task
from a2a.utils.errors import InvalidAgentResponseError, InvalidParamsError
from google.protobuf.json_format import ParseError
from google.protobuf.message import Message as Proto

from routeiq_a2a.forwarding.callers import Caller
from routeiq_a2a.forwarding.gathered import Gathered, failed
from routeiq_a2a.forwarding.pump import pumped
from routeiq_a2a.protojson import of_json, to_json
from routeiq_a2a.registry.agent import MESSAGE, Agent
from routeiq_sdk import Context, Gateway
from routeiq_sdk.values.tools import ToolCall, ToolResult

P = TypeVar("P", bound=Proto)
Send = Callable[[SendMessageRequest], Awaitable[SendMessageResponse]]
Listen = Callable[[SendMessageRequest], AsyncGenerator[StreamResponse]]


class Road:
    """Walks `gateway.tools`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def permitted(self, ctx: Context, agent: Agent) -> bool:
        """Whether the caller may know of the agent."""
        tools = await self._gateway.tools.permitted(ctx, "a2a", agent.name, [MESSAGE], aliases=frozenset({agent.id}))
        return MESSAGE in tools

    async def send(self, caller: Caller, request: SendMessageRequest, send: Send) -> SendMessageResponse:
        """One message and its answer. Raises what `send` raises, and `RequestError` for a refusal."""

        async def run(call: ToolCall) -> ToolResult:
            answer = await send(_request(call))
            bad = answer.WhichOneof("payload") == "task" and failed(answer.task)
            return ToolResult(to_json(answer), bad)

        result = await self._gateway.tools.call(caller.ctx, _call(caller, request), run)
        return _parsed(result, SendMessageResponse())

    async def listen(
        self, caller: Caller, request: SendMessageRequest, listen: Listen
    ) -> AsyncGenerator[StreamResponse]:
        """One message and the events of its answer: each passes the guards by itself, and all do together at the end.

        Raises as `send` does; an error after the first event means that the rest is withheld.
        """
        call = _call(caller, request)

        async def work(give: Callable[[StreamResponse], Awaitable[None]]) -> None:
            async def run(call: ToolCall) -> ToolResult:
                whole = Gathered()
                events = listen(_request(call))
                try:
                    async for event in events:
                        whole.take(event)
                        await give(await self.passed(caller, event, call))
                finally:
                    await events.aclose()
                return ToolResult(whole.content, whole.failed)

            await self._gateway.tools.call(caller.ctx, call, run)

        stream = pumped(work)
        try:
            async for event in stream:
                yield event
        finally:
            await stream.aclose()

    async def passed(self, caller: Caller, answer: P, call: ToolCall | None = None) -> P:
        """Something that an agent said, as guards let it pass. Raises `RequestError`."""
        call = call or _call(caller, SendMessageRequest())
        bad = isinstance(answer, Task) and failed(answer)
        result = await self._gateway.tools.guard_result(caller.ctx, call, ToolResult(to_json(answer), bad))
        empty: P = type(answer)()
        return _parsed(result, empty)


def _call(caller: Caller, request: SendMessageRequest) -> ToolCall:
    agent = caller.agent
    arguments = SendMessageRequest()
    arguments.CopyFrom(request)
    if arguments.HasField("configuration"):
        arguments.configuration.ClearField("task_push_notification_config")  # a webhook's secrets are for nobody's eyes
    attributes = {"delegation": agent.auth.mode, "protocol_version": caller.version}
    if request.message.context_id:
        attributes["conversation_id"] = request.message.context_id
    return ToolCall(
        "a2a",
        agent.name,
        MESSAGE,
        to_json(arguments),
        agent.price,
        aliases=frozenset({agent.id}),
        attributes=attributes,
    )


def _request(call: ToolCall) -> SendMessageRequest:
    try:
        return of_json(call.arguments, SendMessageRequest())
    except ParseError:
        raise InvalidParamsError("A guard of the gateway made something of the message that is none.") from None


def _parsed(result: ToolResult, into: P) -> P:
    content: dict[str, Any] = dict(result.content)
    try:
        return of_json(content, into)
    except ParseError:
        raise InvalidAgentResponseError("A guard of the gateway made something of the answer that is none.") from None
