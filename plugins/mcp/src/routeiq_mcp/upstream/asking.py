"""What a legacy server asks while it works on a request: each question goes to the client, its answer back.

How an answer travels is the transport's business; a server of the modern era asks nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from routeiq_mcp.seams import McpError, Peer
from routeiq_mcp.upstream.messages import Message, refusal_of, unknown_method
from routeiq_mcp.upstream.patience import Patience
from routeiq_mcp.upstream.words import ASKED_OF_CLIENTS
from routeiq_mcp.wire.codes import INTERNAL_ERROR
from routeiq_mcp.wire.messages import result
from routeiq_sdk import RouteIQError

_MOST_QUESTIONS = 16


class Questions:
    """The questions that one request gave rise to. Leave the block, and those without an answer are dropped."""

    def __init__(self, peer: Peer | None, reply: Callable[[Message], Awaitable[None]], patience: Patience) -> None:
        self._peer = peer
        self._reply = reply
        self._patience = patience
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Questions:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def put(self, message: Message) -> None:
        """Let the client answer, while the stream is read on."""
        task = asyncio.get_running_loop().create_task(self.answer(message), name="mcp: a server's question")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def answer(self, message: Message) -> None:
        """Ask the client and tell the server what it said."""
        method, id = message.get("method"), message["id"]
        params = message.get("params")
        try:
            if method == "ping":
                told = result(id, {})
            elif self._peer is None or method not in ASKED_OF_CLIENTS:
                told = refusal_of(id, unknown_method(str(method)))
            elif len(self._tasks) > _MOST_QUESTIONS:
                told = refusal_of(id, McpError(INTERNAL_ERROR, "too many questions at once"))
            else:
                with self._patience.suspended():
                    asked = await self._peer.ask(str(method), params if isinstance(params, dict) else {})
                told = result(id, {k: v for k, v in asked.items() if k != "resultType"})
        except McpError as error:
            told = refusal_of(id, error)
        except (RouteIQError, TimeoutError):
            told = refusal_of(id, McpError(INTERNAL_ERROR, "the client cannot be asked"))
        try:
            await self._reply(told)
        except McpError:
            return  # the server is told nothing, and its request ends by its own deadline or ours
