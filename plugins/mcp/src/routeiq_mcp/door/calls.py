"""Requests under way: each a task with an outbox, which the client's connection reads, or another after it.

A call outlives the connection that brought it: while its client is asked (modern), or while a stream that broke may be
resumed (2025-11-25). Who reads is told by `replies` and `relay`; what is done by whoever starts the call.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from routeiq_mcp.door.options import DoorOptions
from routeiq_mcp.seams import Json, McpError
from routeiq_mcp.wire import codes, messages
from routeiq_sdk import RequestError

MOST_QUESTIONS: Final = 32
_MOST_BYTES: Final = 4 * 1024 * 1024
"""Of one call's messages that nobody has read yet, or that are kept for a client that comes back."""


@dataclass(frozen=True, slots=True)
class Item:
    """Something for the client. `message`: a notification or a question, encoded; `input`: what a modern client is
    asked, by key; `end`: the JSON-RPC answer (`None` when nobody shall get one)."""

    kind: Literal["message", "input", "end"]
    content: Any
    place: int = 0
    refusal: RequestError | None = None
    """What the answer is over HTTP, as long as nothing was sent: a status with its headers."""


class Call:
    """One request. Notifications beyond the bound push out the oldest: a client that does not read loses them.

    One that is `resumable` keeps what was read, for a client that comes back. One that `outlives` its connection goes
    on when the client leaves, which only modern clients mean as the end.
    """

    def __init__(self, id: str, owner: str, keep: int, *, resumable: bool = False, outlives: bool = False) -> None:
        self.id = id
        self.owner = owner
        self.resumable = resumable
        self.outlives = outlives
        self.task: asyncio.Task[None] | None = None
        self.token: Any = None
        self.questions: dict[str, tuple[str, Json, asyncio.Future[Json]]] = {}
        self._keep = keep
        self._items: deque[Item] = deque()
        self._size = 0
        self._placed = 0
        self._told: set[str] = set()
        self._news = asyncio.Event()
        self._end: Item | None = None
        self._reader = 0

    @property
    def ended(self) -> bool:
        """Whether the answer is there."""
        return self._end is not None

    def send(self, message: Json) -> None:
        """Put a notification or a question out."""
        encoded = messages.encode(message)
        self._placed += 1
        self._items.append(Item("message", encoded, self._placed))
        self._size += len(encoded)
        while len(self._items) > 1 and (len(self._items) > self._keep or self._size > _MOST_BYTES):
            self._size -= len(self._items.popleft().content)
        self._news.set()

    def finish(self, answer: Json | Sequence[Json] | None, refusal: RequestError | None = None) -> None:
        """Put the answer out; nothing comes after it."""
        if self._end is None:
            self._placed += 1
            self._end = Item("end", answer, self._placed, refusal)
            self._news.set()

    async def ask(self, key: str, method: str, params: Json) -> Json:
        """Ask a modern client, and wait until somebody brings its answer. Raises `McpError` for too many at once."""
        if len(self.questions) >= MOST_QUESTIONS:
            raise McpError(codes.LIMITED, f"a client is asked at most {MOST_QUESTIONS} things at once")
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self.questions[key] = (method, params, future)
        self._news.set()
        try:
            return await future
        finally:
            self.questions.pop(key, None)
            self._told.discard(key)

    def answer(self, responses: Json, token: Any = None) -> None:
        """Bring answers; what was asked and is not answered is asked again. `token` is what the client calls progress
        by from now on."""
        if token is not None:
            self.token = token
        for key, (_, _, future) in list(self.questions.items()):
            value = responses.get(key)
            if isinstance(value, Mapping) and not future.done():
                future.set_result(value)
                self._told.discard(key)
                self.questions.pop(key, None)
        self._told.clear()
        self._news.set()

    def attach(self) -> int:
        """Become the one who reads; whoever read before is told that the stream is over."""
        self._reader += 1
        self._news.set()
        return self._reader

    async def next(self, reader: int, after: int) -> Item | None:
        """What comes after place `after`; `None` when somebody else reads now."""
        while True:
            if reader != self._reader:
                return None
            for item in self._items:
                if item.place > after:
                    if not self.resumable:
                        self._items.popleft()
                        self._size -= len(item.content)
                    return item
            if self._end is not None:
                return self._end
            asked = self._asked()
            if asked:
                # Servers that ask several things at once are let finish asking.
                await asyncio.sleep(0)
                return Item("input", self._asked() or asked, after)
            self._news.clear()
            await self._news.wait()

    def _asked(self) -> dict[str, Any]:
        if not self.questions or self._told.issuperset(self.questions):
            return {}
        return {
            key: {"method": method, "params": dict(params)}
            for key, (method, params, future) in self.questions.items()
            if not future.done()
        }

    def asked(self, keys: Json) -> None:
        """The client was told these questions."""
        self._told.update(keys)


class Calls:
    """All calls of this process, bounded: those that wait without a connection are few and not for long."""

    def __init__(self, options: DoorOptions) -> None:
        self._options = options
        self._calls: dict[str, Call] = {}
        self._named: dict[tuple[str, Any], Call] = {}
        self._waiting: dict[str, asyncio.TimerHandle] = {}
        self._waiting_of: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._calls)

    def start(
        self,
        owner: str,
        work: Callable[[Call], Awaitable[None]],
        *,
        name: tuple[str, Any] | None = None,
        resumable: bool = False,
        outlives: bool = False,
    ) -> Call:
        """Begin a request. `name` (session, request id) is what its client may cancel it by."""
        keep = self._options.kept_messages
        call = Call(os.urandom(9).hex(), owner, keep, resumable=resumable, outlives=outlives)
        self._calls[call.id] = call
        if name is not None:
            self._named[name] = call
        task = asyncio.get_running_loop().create_task(self._run(call, work, name))
        call.task = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return call

    async def _run(self, call: Call, work: Callable[[Call], Awaitable[None]], name: tuple[str, Any] | None) -> None:
        try:
            await work(call)
        finally:
            if name is not None and self._named.get(name) is call:
                del self._named[name]
            call.finish(None)
            if call.id not in self._waiting:
                self._calls.pop(call.id, None)

    def find(self, id: str, owner: str) -> Call | None:
        """A call of this process, if it is the owner's."""
        call = self._calls.get(id)
        return call if call is not None and call.owner == owner else None

    def cancel(self, session: str, request: Any) -> bool:
        """End the request that a session named so; says whether there was one."""
        call = self._named.get((session, request))
        if call is None:
            return False
        self.stop(call)
        return True

    def cancel_all(self, session: str) -> None:
        """End all requests of a session."""
        for name, call in list(self._named.items()):
            if name[0] == session:
                self.stop(call)

    def stop(self, call: Call) -> None:
        """End a call whose client does not want it any more."""
        self.hold(call)
        self._calls.pop(call.id, None)
        if call.task is not None:
            call.task.cancel()

    def leave(self, call: Call) -> None:
        """The connection is gone, or ended with a question: keep the call for a while, or end it when too many wait.

        Raises `McpError` when there is no room for one that asks.
        """
        owner, options = call.owner, self._options
        if call.id in self._waiting:
            return
        if len(self._waiting) >= options.parked or self._waiting_of[owner] >= options.parked_per_caller:
            self.stop(call)
            raise McpError(codes.LIMITED, "too many requests wait for answers of their clients; answer or end some")
        self._calls[call.id] = call
        self._waiting_of[owner] += 1
        loop = asyncio.get_running_loop()
        self._waiting[call.id] = loop.call_later(options.question_seconds, self.stop, call)

    def hold(self, call: Call) -> None:
        """Somebody reads it again."""
        timer = self._waiting.pop(call.id, None)
        if timer is not None:
            timer.cancel()
            self._waiting_of[call.owner] -= 1
            if not self._waiting_of[call.owner]:
                del self._waiting_of[call.owner]

    def forget(self, call: Call) -> None:
        """Its answer was delivered."""
        self.hold(call)
        if call.ended:
            self._calls.pop(call.id, None)

    async def close(self) -> None:
        """End all."""
        for call in list(self._calls.values()):
            self.stop(call)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
