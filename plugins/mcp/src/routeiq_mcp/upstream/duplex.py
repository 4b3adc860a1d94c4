"""Requests over a connection on which both sides may speak at any time: a process's pipes, the old event stream.

What is told to whom: an answer goes to whoever asked, progress to whose token it names. A question of the server, and a
log message, name nobody; they reach a client only while a single caller has requests under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from routeiq_mcp.noting import note
from routeiq_mcp.seams import Json, McpError, Peer
from routeiq_mcp.upstream import failures
from routeiq_mcp.upstream.asking import Questions
from routeiq_mcp.upstream.failures import Failure
from routeiq_mcp.upstream.messages import Message, is_response, outcome, refusal_of
from routeiq_mcp.upstream.patience import Patience
from routeiq_mcp.wire import messages
from routeiq_mcp.wire.codes import INTERNAL_ERROR

Send = Callable[[Message], Awaitable[None]]
"""Sends one message. Raises `McpError`."""

_MOST_HEARD = 1024
_NOTICE_SECONDS = 5.0


@dataclass(slots=True, eq=False)
class _Waiting:
    caller: str
    peer: Peer | None
    answer: asyncio.Future[Message]
    patience: Patience
    questions: Questions
    token: Any = None


class Duplex:
    """One connection. Whoever reads it gives each message to `receive`, and says `lost` at its end."""

    def __init__(self, server: str, send: Send) -> None:
        self._server = server
        self._send = send
        self._ids = count(1)
        self._waiting: dict[int, _Waiting] = {}
        self._listeners: dict[int, asyncio.Queue[tuple[str, Json] | None]] = {}
        self._failure: Failure | None = None

    @property
    def alive(self) -> bool:
        """Whether the connection stands."""
        return self._failure is None

    async def request(
        self, caller: str, method: str, params: Json, peer: Peer | None, seconds: float | None
    ) -> dict[str, Any]:
        """The result. `seconds` is the longest silence. Raises `McpError`; the server is told when the caller goes
        away or waits no longer."""
        id, patience = next(self._ids), Patience(seconds)
        note(upstream_request_id=str(id))
        params, token = _own_token(params, id)
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        try:
            async with Questions(peer, self._send, patience) as questions:
                self._waiting[id] = _Waiting(caller, peer, answer, patience, questions, token)
                if self._failure is not None:
                    raise self._failure
                await self._send(messages.request(id, method, params))
                async with patience.waiting():
                    return outcome(await answer, self._server)
        except TimeoutError:
            await self._cancel(id, method)
            raise failures.late(self._server) from None
        except asyncio.CancelledError:
            await self._cancel(id, method)
            raise
        finally:
            self._waiting.pop(id, None)

    async def notify(self, method: str, params: Json | None = None) -> None:
        """Tell the server something. Raises `McpError`."""
        await self._send(messages.notification(method, params))

    async def heard(self) -> AsyncGenerator[tuple[str, Json], None]:
        """Notifications that belong to no request, until the connection ends."""
        key, queue = next(self._ids), asyncio.Queue[tuple[str, Json] | None](_MOST_HEARD)
        self._listeners[key] = queue
        try:
            while self._failure is None:
                notification = await queue.get()
                if notification is None:
                    return
                yield notification
        finally:
            del self._listeners[key]

    async def receive(self, message: Message) -> None:
        """A message of the server."""
        if is_response(message):
            found = self._waiting.get(message["id"]) if isinstance(message.get("id"), int) else None
            if found is not None and not found.answer.done():
                found.answer.set_result(message)
        elif "id" in message:
            await self._question(message)
        else:
            await self._notification(str(message.get("method")), message.get("params"))

    def lost(self, failure: Failure) -> None:
        """The connection is over: whoever waits hears why."""
        self._failure = failure
        for waiting in self._waiting.values():
            if not waiting.answer.done():
                waiting.answer.set_exception(failures.Failure(self._server, failure.kind, failure.message))
        for queue in self._listeners.values():
            while queue.full():
                queue.get_nowait()
            queue.put_nowait(None)

    async def _question(self, message: Message) -> None:
        one = self._only()
        if message.get("method") == "ping":
            await self._send(messages.result(message["id"], {}))
        elif one is None:
            refusal = McpError(INTERNAL_ERROR, "it cannot be told which client this is for")
            await self._send(refusal_of(message["id"], refusal))
        else:
            one.questions.put(message)

    async def _notification(self, method: str, params: Any) -> None:
        told: Json = params if isinstance(params, dict) else {}
        if method == "notifications/progress":
            token = told.get("progressToken")
            found = self._waiting.get(token) if isinstance(token, int) else None
            if found is not None:
                found.patience.renew()
                if found.peer is not None and found.token is not None:
                    await found.peer.notify(method, {**told, "progressToken": found.token})
        elif method == "notifications/message":
            one = self._only()
            if one is not None and one.peer is not None:
                await one.peer.notify(method, told)
        else:
            for queue in self._listeners.values():
                if not queue.full():
                    queue.put_nowait((method, told))

    def _only(self) -> _Waiting | None:
        """The newest request with a client, when all of them are one caller's."""
        asked = [waiting for waiting in self._waiting.values() if waiting.peer is not None]
        return asked[-1] if len({waiting.caller for waiting in asked}) == 1 else None

    async def _cancel(self, id: int, method: str) -> None:
        """The protocol forbids to cancel a handshake."""
        if self._failure is not None or method in ("initialize", "server/discover"):
            return
        told = {"requestId": id, "reason": "the caller went away"}
        try:
            async with asyncio.timeout(_NOTICE_SECONDS):
                await self.notify("notifications/cancelled", told)
        except (McpError, TimeoutError):
            return


def _own_token(params: Json, id: int) -> tuple[Json, Any]:
    """The request's own id as its progress token, so that two clients' tokens are never taken for one another."""
    meta = params.get("_meta")
    if not isinstance(meta, Mapping) or "progressToken" not in meta:
        return params, None
    return {**params, "_meta": {**meta, "progressToken": id}}, meta["progressToken"]
