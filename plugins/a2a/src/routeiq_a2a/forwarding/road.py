"""The road of a message to an agent: permission, guards, accounts and the record are the gateway's; here is its middle.

Messages walk it whole. What is fetched of a task later passes the guards of results.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from a2a.types import Message, SendMessageRequest, SendMessageResponse, StreamResponse, Task, TaskState
from a2a.utils.errors import InvalidAgentResponseError, InvalidParamsError
from google.protobuf.json_format import ParseError
from google.protobuf.message import Message as Proto

from routeiq_a2a.cards.store import Card, Cards
from routeiq_a2a.forwarding.callers import Caller
from routeiq_a2a.forwarding.gathered import Gathered, failed
from routeiq_a2a.forwarding.pump import pumped
from routeiq_a2a.protojson import of_json, to_json
from routeiq_a2a.registry.agent import MESSAGE, Agent
from routeiq_a2a.wire.versions import V0_3
from routeiq_sdk import Context, Gateway
from routeiq_sdk.values.tools import ToolCall, ToolResult

P = TypeVar("P", bound=Proto)
Send = Callable[[SendMessageRequest], Awaitable[SendMessageResponse]]
Listen = Callable[[SendMessageRequest], AsyncGenerator[StreamResponse]]

_LONGEST_VERSION = 64
_LONGEST_ID = 256
_METHODS = {
    (False, False): "SendMessage",
    (False, True): "SendStreamingMessage",
    (True, False): "message/send",
    (True, True): "message/stream",
}
"""What a message is called, by whether its client speaks 0.3 and whether it wants a stream."""


class Road:
    """Walks `gateway.tools`."""

    def __init__(self, gateway: Gateway, cards: Cards) -> None:
        self._gateway = gateway
        self._cards = cards

    async def permitted(self, ctx: Context, agent: Agent) -> bool:
        """Whether the caller may know of the agent."""
        tools = await self._gateway.tools.permitted(ctx, "a2a", agent.name, [MESSAGE], aliases=frozenset({agent.id}))
        return MESSAGE in tools

    async def send(self, caller: Caller, request: SendMessageRequest, send: Send) -> SendMessageResponse:
        """One message and its answer. Raises what `send` raises, and `RequestError` for a refusal."""

        async def run(call: ToolCall) -> ToolResult:
            answer = await send(_request(call))
            _learn(call, answer.task if answer.WhichOneof("payload") == "task" else answer.message)
            bad = answer.WhichOneof("payload") == "task" and failed(answer.task)
            return ToolResult(to_json(answer), bad)

        result = await self._gateway.tools.call(caller.ctx, self._call(caller, request), run)
        return _parsed(result, SendMessageResponse())

    async def listen(
        self, caller: Caller, request: SendMessageRequest, listen: Listen
    ) -> AsyncGenerator[StreamResponse]:
        """One message and the events of its answer: each passes the guards by itself, and all do together at the end.

        Raises as `send` does; an error after the first event means that the rest is withheld.
        """
        call = self._call(caller, request, streaming=True)

        async def work(give: Callable[[StreamResponse], Awaitable[None]]) -> None:
            async def run(call: ToolCall) -> ToolResult:
                whole = Gathered()
                events = listen(_request(call))
                try:
                    async for event in events:
                        whole.take(event)
                        _learn(call, whole.task or whole.message)
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
        call = call or self._call(caller, SendMessageRequest())
        bad = isinstance(answer, Task) and failed(answer)
        result = await self._gateway.tools.guard_result(caller.ctx, call, ToolResult(to_json(answer), bad))
        empty: P = type(answer)()
        return _parsed(result, empty)

    def _call(self, caller: Caller, request: SendMessageRequest, *, streaming: bool = False) -> ToolCall:
        agent, message = caller.agent, request.message
        arguments = SendMessageRequest()
        arguments.CopyFrom(request)
        if arguments.HasField("configuration"):
            arguments.configuration.ClearField("task_push_notification_config")  # its secrets are for nobody's eyes
        attributes = {
            "delegation": agent.auth.mode,
            "method": _METHODS[caller.version == V0_3, streaming],
            "protocol_version": caller.version,
            "agent_id": agent.id,
            **_told_by(self._cards.peek(agent)),
        }
        if message.context_id:
            attributes["conversation_id"] = message.context_id[:_LONGEST_ID]
        if message.task_id:
            attributes["task_id"] = message.task_id[:_LONGEST_ID]
        return ToolCall(
            "a2a",
            agent.name,
            MESSAGE,
            to_json(arguments),
            agent.price,
            aliases=frozenset({agent.id}),
            attributes=attributes,
        )


def _told_by(card: Card | None) -> dict[str, str]:
    """What an agent's card says for the record of a call."""
    if card is None:
        return {}
    url = urlsplit(card.interface.url)
    found = {
        "agent_version": card.upstream.version[:_LONGEST_VERSION],
        "upstream_version": card.interface.version,
        "upstream_transport": "tcp",
        "upstream_protocol": "http",  # gRPC's, too
        "upstream_address": url.hostname or "",
        "upstream_port": str(url.port or (443 if url.scheme == "https" else 80)),
    }
    return {name: value for name, value in found.items() if value}


def _learn(call: ToolCall, answer: Task | Message | None) -> None:
    """What the answer so far says of itself. Its ids are the agent's, so they may be of any length."""
    if answer is None:
        return
    found = {"conversation_id": answer.context_id}
    if isinstance(answer, Task):
        state = TaskState.DESCRIPTOR.values_by_number.get(answer.status.state)
        found |= {"task_id": answer.id, "task_state": state.name if state is not None else ""}
    call.learned.update((name, value[:_LONGEST_ID]) for name, value in found.items() if value)


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
