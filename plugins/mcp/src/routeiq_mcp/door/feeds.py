"""Streams of notifications that belong to no request: `subscriptions/listen`, and the GET stream of legacy clients.

Which notifications there are is up to the face.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from routeiq_mcp.door import faults
from routeiq_mcp.door.sessions import Session
from routeiq_mcp.door.slots import Slot
from routeiq_mcp.seams import Json, McpError
from routeiq_mcp.wire import codes, keys, messages, sse

_MOST_QUEUED: Final = 256
_CHANGES: Final = {
    "notifications/tools/list_changed": "toolsListChanged",
    "notifications/prompts/list_changed": "promptsListChanged",
    "notifications/resources/list_changed": "resourcesListChanged",
}
EVERYTHING: Final = dict.fromkeys(_CHANGES.values(), True)

Open = Callable[[Json], AsyncIterator[tuple[str, Json]]]


def honored(wanted: Any) -> dict[str, Any]:
    """What of a client's filter is understood. Raises `McpError` when it is none."""
    if not isinstance(wanted, dict):
        raise McpError(codes.INVALID_PARAMS, "params.notifications has to say what is wanted")
    kept: dict[str, Any] = {name: True for name in _CHANGES.values() if wanted.get(name) is True}
    uris = wanted.get("resourceSubscriptions")
    if uris:
        if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
            raise McpError(codes.INVALID_PARAMS, "resourceSubscriptions has to be a list of URIs")
        kept["resourceSubscriptions"] = uris
    return kept


def is_wanted(method: str, params: Json, wanted: Json) -> bool:
    """Whether a notification passes a filter."""
    if method == "notifications/resources/updated":
        return params.get("uri") in wanted.get("resourceSubscriptions", ())
    name = _CHANGES.get(method)
    return name is not None and wanted.get(name) is True


class Feed:
    """One client's stream. It reads ahead a little; a client that does not read loses the oldest notifications, each of
    which only says that something changed."""

    def __init__(
        self,
        listen: Open,
        wanted: Json,
        *,
        ping_seconds: float,
        slot: Slot,
        subscription: Any = None,
        session: Session | None = None,
    ) -> None:
        """`subscription` is the id of a modern `subscriptions/listen`; a GET stream has a session."""
        self._listen = listen
        self._wanted = wanted
        self._ping = ping_seconds
        self._slot = slot
        self._id = subscription
        self.session = session
        self._queue: deque[Json] = deque(maxlen=_MOST_QUEUED)
        self._news = asyncio.Event()
        self._last: Json | None = None
        self._ended = False
        self._over = False
        if subscription is not None:
            self._queue.append(self._stamped("notifications/subscriptions/acknowledged", {"notifications": wanted}))
        self._pump: asyncio.Task[None] | None = None

    def change(self, wanted: Json) -> None:
        """Listen to something else from now on."""
        self._wanted = wanted
        if self._pump is not None:
            self._pump.cancel()
            self._pump = asyncio.get_running_loop().create_task(self._read())

    def end(self) -> None:
        """The session is over."""
        self._ended = True
        self._news.set()

    def __aiter__(self) -> Feed:
        return self

    async def __anext__(self) -> bytes:
        if self._pump is None and not self._over:
            self._pump = asyncio.get_running_loop().create_task(self._read())
            # The face begins to listen before its client reads that it does.
            await asyncio.sleep(0)
            if self._last is not None and "error" in self._last:
                self._queue.clear()
        while not self._over:
            if self._queue:
                return sse.frame(messages.encode(self._queue.popleft()))
            if self._ended:
                break
            self._news.clear()
            try:
                async with asyncio.timeout(self._ping):
                    await self._news.wait()
            except TimeoutError:
                return sse.PING
        if self._last is not None and not self._over:
            self._over = True
            return sse.frame(messages.encode(self._last))
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._over = True
        self._slot.release()
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)

    def __del__(self) -> None:
        # Nobody closes a stream whose head could not be sent.
        self._slot.release()

    async def _read(self) -> None:
        try:
            async for method, params in self._listen(self._wanted):
                if is_wanted(method, params, self._wanted):
                    self._queue.append(self._stamped(method, params))
                    self._news.set()
        except Exception as error:
            if self._id is not None:
                self._last = faults.answer(self._id, error, "modern", "subscriptions/listen")
            else:
                faults.known(error)  # writes down what was unexpected
            self.end()
            return
        if self._id is not None:
            # A legacy client's stream stays: its client would only open it again.
            self._last = messages.result(
                self._id, {"resultType": "complete", "_meta": {keys.SUBSCRIPTION_ID: self._id}}
            )
            self.end()

    def _stamped(self, method: str, params: Json) -> Json:
        if self._id is None:
            return messages.notification(method, params or None)
        meta = params.get("_meta")
        stamped = {**(meta if isinstance(meta, dict) else {}), keys.SUBSCRIPTION_ID: self._id}
        return messages.notification(method, {**params, "_meta": stamped})
