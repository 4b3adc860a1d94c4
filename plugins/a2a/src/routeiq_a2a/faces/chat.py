"""An agent as a model: a chat becomes one message, the answer's text becomes the model's.

The chat road has guarded, reserved and recorded the request, so here are the permission and the agent alone.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any

from a2a.types import Message, Part, Role, SendMessageRequest, StreamResponse, Task
from a2a.utils.errors import A2AError

from routeiq_a2a.cards.store import Cards
from routeiq_a2a.forwarding.callers import Caller, owner_of
from routeiq_a2a.forwarding.gathered import Gathered
from routeiq_a2a.forwarding.pump import pumped
from routeiq_a2a.forwarding.road import Road
from routeiq_a2a.forwarding.tasks import Tasks
from routeiq_a2a.registry.agent import Agent
from routeiq_a2a.registry.registry import Registry
from routeiq_a2a.upstream.calling import Agents
from routeiq_a2a.wire.errors import problem
from routeiq_a2a.wire.versions import V1_0
from routeiq_sdk import Context, Deployment, RequestError
from routeiq_sdk.values.delegation import ConsentNeeded

SESSION = "x-session-id"
_LONGEST_SESSION = 200


class ChatFace:
    """Implements the SDK's `ModelAdapter` for rows of `a2a/NAME`, and answers text for tools."""

    def __init__(self, registry: Registry, cards: Cards, agents: Agents, tasks: Tasks, road: Road) -> None:
        self._registry = registry
        self._cards = cards
        self._agents = agents
        self._tasks = tasks
        self._road = road

    async def complete(
        self, ctx: Context, deployment: Deployment, body: Mapping[str, Any]
    ) -> Mapping[str, Any] | AsyncIterator[Mapping[str, Any]]:
        """A `chat.completion`, or its chunks. Raises `RequestError`."""
        agent = await self.permitted(ctx, deployment.model)
        caller = Caller(ctx, agent, "", owner_of(ctx.principal), V1_0)
        text = prompt(body.get("messages"))
        request = await self._request(caller, text, session_of(ctx, body))
        model = str(body.get("model") or deployment.group)
        try:
            if body.get("stream"):
                if (await self._cards.of(agent)).upstream.capabilities.streaming:
                    return _chunks(self._pieces(caller, request), model)
                return _chunks(_one(await self._ask(caller, request)), model)
            return _completion(await self._ask(caller, request), model)
        except (A2AError, ConsentNeeded) as error:
            raise _refusal(error) from None

    async def ask(self, ctx: Context, name: str, text: str, session: str | None) -> tuple[str, bool]:
        """The text that an agent answers, and whether its task failed. Raises `RequestError`."""
        agent = await self.permitted(ctx, name)
        caller = Caller(ctx, agent, "", owner_of(ctx.principal), V1_0)
        try:
            whole = await self._ask(caller, await self._request(caller, text, session))
        except (A2AError, ConsentNeeded) as error:
            raise _refusal(error) from None
        return text_of(whole), whole.failed

    async def permitted(self, ctx: Context, name: str) -> Agent:
        """The agent, if the caller may use it. Raises `RequestError`."""
        agent = self._registry.find(name)
        if agent is None or not await self._road.permitted(ctx, agent):
            raise RequestError(404, f"There is no agent {name!r}, or not for you.", code="model_not_found")
        return agent

    async def _request(self, caller: Caller, text: str, session: str | None) -> SendMessageRequest:
        message = Message(message_id=str(uuid.uuid4()), role=Role.ROLE_USER, parts=[Part(text=text)])
        if session:
            # A client's own word for a conversation is made the caller's, so that two callers' words never meet.
            named = f"{caller.owner}\0{session[:_LONGEST_SESSION]}".encode()
            message.context_id = str(uuid.UUID(bytes=hashlib.sha256(named).digest()[:16]))
        request = SendMessageRequest(message=message)
        request.configuration.accepted_output_modes.extend(["text/plain"])
        await self._tasks.check_message(caller, message)
        return request

    async def _ask(self, caller: Caller, request: SendMessageRequest) -> Gathered:
        answer = await self._agents.ask(caller.ctx, caller.agent, lambda t, c: t.send_message(request, context=c))
        whole = Gathered()
        kind = answer.WhichOneof("payload")
        event = StreamResponse(task=answer.task) if kind == "task" else StreamResponse(message=answer.message)
        await self._tasks.saw(caller, event)
        whole.take(event)
        return whole

    def _pieces(self, caller: Caller, request: SendMessageRequest) -> AsyncGenerator[str]:
        async def work(give: Any) -> None:
            said = False
            whole = Gathered()
            events = self._agents.listen(
                caller.ctx, caller.agent, lambda t, c: t.send_message_streaming(request, context=c)
            )
            try:
                async for event in events:
                    await self._tasks.saw(caller, event)
                    whole.take(event)
                    if event.WhichOneof("payload") == "artifact_update":
                        text = _text(event.artifact_update.artifact.parts)
                        said = said or bool(text)
                        await give(text)
            finally:
                await events.aclose()
            if not said:
                await give(text_of(whole))

        return pumped(work)


def prompt(messages: Any) -> str:
    """One text of a chat. A single message goes as it is; of several, each says whose it is."""
    told: list[tuple[str, str]] = []
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, Mapping) else None
        if isinstance(content, list):
            content = "\n".join(
                str(part.get("text", "")) for part in content if isinstance(part, Mapping) and "text" in part
            )
        if isinstance(content, str) and content:
            told.append((str(message.get("role", "user")), content))
    if not told:
        raise RequestError(400, "There is no text for the agent.", param="messages")
    if len(told) == 1:
        return told[0][1]
    return "\n\n".join(f"{role}: {content}" for role, content in told)


def session_of(ctx: Context, body: Mapping[str, Any]) -> str | None:
    """The conversation that a chat belongs to: the header `x-session-id`, else the field `user`."""
    told = ctx.headers.get(SESSION) or body.get("user")
    return str(told) if told else None


def text_of(whole: Gathered) -> str:
    """The words of an answer: its artifacts', else those of its last message."""
    if whole.message is not None:
        return _text(whole.message.parts)
    task = whole.task or Task()
    text = "\n\n".join(filter(None, (_text(artifact.parts) for artifact in task.artifacts)))
    if not text and task.status.HasField("message"):
        text = _text(task.status.message.parts)
    if not text:
        last = next((each for each in reversed(task.history) if each.role == Role.ROLE_AGENT), None)
        text = _text(last.parts) if last is not None else ""
    return text


def _text(parts: Sequence[Part] | Any) -> str:
    return "".join(part.text for part in parts if part.WhichOneof("content") == "text")


async def _one(whole: Gathered) -> AsyncGenerator[str]:
    yield text_of(whole)


def _completion(whole: Gathered, model: str) -> Mapping[str, Any]:
    message = {"role": "assistant", "content": text_of(whole)}
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }


async def _chunks(pieces: AsyncGenerator[str], model: str) -> AsyncIterator[Mapping[str, Any]]:
    frame = {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": model,
    }

    def chunk(delta: Mapping[str, Any], reason: str | None = None) -> Mapping[str, Any]:
        return {**frame, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    try:
        role: dict[str, Any] = {"role": "assistant"}
        async for text in pieces:
            if text:
                yield chunk({**role, "content": text})
                role = {}
        yield chunk({**role} if role else {}, "stop")
    except (A2AError, ConsentNeeded) as error:
        raise _refusal(error) from None
    finally:
        await pieces.aclose()


def _refusal(error: BaseException) -> RequestError:
    told = problem(error)
    return RequestError(told.http, told.message, type="agent_error", code=told.reason.lower())
