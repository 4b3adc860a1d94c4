"""Who reads a call's outbox: a connection of this process, or one of another replica.

What is done with what was read is told by `replies`.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any, Final, Protocol

from routeiq_mcp.door.calls import Call, Calls, Item
from routeiq_mcp.door.options import DoorOptions
from routeiq_mcp.door.post import Post, is_address
from routeiq_mcp.seams import Json, McpError
from routeiq_mcp.wire import codes, messages
from routeiq_sdk import RouteIQError

_ALIVE_SECONDS: Final = 5.0
_SILENT_SECONDS: Final = 15.0
_MOST_QUEUED: Final = 1024


class Reader(Protocol):
    """Reads one call."""

    @property
    def mark(self) -> str:
        """Names the call, for a client that comes back to it."""

    async def next(self) -> Item | None:
        """What comes next; `None` when nothing more will."""

    def close(self) -> None:
        """Nobody reads here any more: the client has gone."""


class Here:
    """Reads a call of this process. A question it has read leaves the call waiting for its answer."""

    def __init__(self, calls: Calls, call: Call, address: str, after: int = 0) -> None:
        calls.hold(call)
        self.mark = f"{address}.{call.id}"
        self._calls = calls
        self._call = call
        self._after = after
        self._reader = call.attach()
        self._over = False

    async def next(self) -> Item | None:
        if self._over:
            return None
        item = await self._call.next(self._reader, self._after)
        if item is None:
            self._over = True
        elif item.kind == "end":
            self._over = True
            self._calls.forget(self._call)
        elif item.kind == "input":
            self._over = True
            self._call.asked(item.content)
            self._calls.leave(self._call)
        else:
            self._after = item.place
        return item

    def close(self) -> None:
        if self._over:
            return
        self._over = True
        if not self._call.outlives:
            self._calls.stop(self._call)
            return
        try:
            self._calls.leave(self._call)
        except McpError:
            pass  # there was no room, so it was ended


class There:
    """Reads a call of another replica."""

    def __init__(self, elsewhere: Elsewhere, address: str, call: str) -> None:
        self.mark = f"{address}.{call}"
        self.stream = os.urandom(8).hex()
        self.items: asyncio.Queue[Item | None] = asyncio.Queue(_MOST_QUEUED)
        self._elsewhere = elsewhere
        self._address = address
        self._over = False
        self._heard = asyncio.get_running_loop().time()
        self.found = asyncio.Event()
        self.gone = False

    async def next(self) -> Item | None:
        while not self._over:
            try:
                async with asyncio.timeout_at(self._heard + _SILENT_SECONDS):
                    item = await self.items.get()
            except TimeoutError:
                if self.items.empty() and asyncio.get_running_loop().time() >= self._heard + _SILENT_SECONDS:
                    self._end()  # the replica is gone
                continue
            if item is None or item.kind != "message":
                self._end()
            return item
        return None

    def hear(self, item: Item | None) -> None:
        """The other replica said something."""
        self.alive()
        if self.items.full():
            if item is not None and item.kind == "message":
                return  # as for any client that does not read
            self.items.get_nowait()
        self.items.put_nowait(item)

    def alive(self) -> None:
        """The other replica is there."""
        self._heard = asyncio.get_running_loop().time()
        self.found.set()

    def close(self) -> None:
        if not self._over:
            self._end()
            self._elsewhere.left(self._address, self.stream)

    def _end(self) -> None:
        self._over = True
        self._elsewhere.forget(self.stream)


class Elsewhere:
    """Reads calls of other replicas, and lets other replicas read those of this one."""

    def __init__(self, calls: Calls, post: Post, options: DoorOptions) -> None:
        self._calls = calls
        self._post = post
        self._options = options
        self._reading: dict[str, There] = {}
        self._read: dict[str, tuple[asyncio.Task[None], Here]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        post.take("attach", self._attach)
        post.take("item", self._item)
        post.take("left", self._left)

    async def attach(
        self, mark: str, owner: str, after: int, responses: Json | None = None, token: Any = None
    ) -> Reader | None:
        """Read on what `mark` names, wherever it is, and bring it the client's answers. `None` when it is not there
        (any more), or somebody else's. `token` is what its client calls progress by now."""
        address, _, id = mark.partition(".")
        if not is_address(address):
            return None  # a client may send anything as the id of an event
        if address == self._post.address:
            call = self._calls.find(id, owner)
            if call is None:
                return None
            if responses is not None:
                call.answer(responses, token)
            return Here(self._calls, call, address, after)
        there = There(self, address, id)
        self._reading[there.stream] = there
        try:
            await self._post.send(
                address,
                "attach",
                call=id,
                owner=owner,
                after=after,
                responses=responses,
                token=token,
                back=self._post.address,
                stream=there.stream,
            )
            async with asyncio.timeout(_ALIVE_SECONDS):
                await there.found.wait()
        except TimeoutError:
            pass
        if not there.found.is_set() or there.gone:
            self.forget(there.stream)
            return None
        return there

    def forget(self, stream: str) -> None:
        self._reading.pop(stream, None)

    def left(self, address: str, stream: str) -> None:
        self._spawn(self._post.send(address, "left", stream=stream))

    async def close(self) -> None:
        """End all that is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _item(self, said: dict[str, Any]) -> None:
        there = self._reading.get(said["stream"])
        if there is None:
            return
        kind = said["kind"]
        if kind == "alive":
            there.alive()
        elif kind == "gone":
            there.gone = not there.found.is_set()
            there.hear(None)
        else:
            content = said["content"]
            there.hear(Item(kind, content.encode() if kind == "message" else content, said["place"]))

    def _left(self, said: dict[str, Any]) -> None:
        pumping = self._read.pop(said["stream"], None)
        if pumping is not None:
            pumping[1].close()
            pumping[0].cancel()

    def _attach(self, said: dict[str, Any]) -> None:
        call = self._calls.find(said["call"], said["owner"])
        to, stream = said["back"], said["stream"]
        if call is None:
            self._spawn(self._post.send(to, "item", stream=stream, kind="gone"))
            return
        if said["responses"] is not None:
            call.answer(said["responses"], said["token"])
        here = Here(self._calls, call, self._post.address, said["after"])
        self._read[stream] = (self._spawn(self._pump(here, to, stream)), here)

    async def _pump(self, here: Here, to: str, stream: str) -> None:
        try:
            await self._post.send(to, "item", stream=stream, kind="alive")
            while True:
                try:
                    async with asyncio.timeout(_ALIVE_SECONDS):
                        item = await here.next()
                except TimeoutError:
                    await self._post.send(to, "item", stream=stream, kind="alive")
                    continue
                if item is None:
                    await self._post.send(to, "item", stream=stream, kind="gone")
                    return
                await self._carry(to, stream, item)
                if item.kind != "message":
                    return
        finally:
            self._read.pop(stream, None)
            here.close()

    async def _carry(self, to: str, stream: str, item: Item) -> None:
        content = item.content.decode() if item.kind == "message" else item.content
        try:
            await self._post.send(to, "item", stream=stream, kind=item.kind, content=content, place=item.place)
        except RouteIQError:
            if item.kind != "end" or not isinstance(content, dict):
                raise
            # The store does not take a message of any size.
            answer = messages.error(
                content.get("id"), codes.UNAVAILABLE, "the answer is too large to reach another replica"
            )
            await self._post.send(to, "item", stream=stream, kind="end", content=answer, place=item.place)

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(self._quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _quietly(self, work: Any) -> None:
        try:
            await work
        except RouteIQError:
            pass  # The other side has a deadline.
