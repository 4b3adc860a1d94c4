"""Runs the plugins' stream filters over the texts of a stream, whatever its wire.

Filters see text only; this module puts what they let through back into events.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from routeiq.errors import Errors
from routeiq.plugins.compiled import Call
from routeiq.request import frames, gates
from routeiq.request.pieces import TEXTS, Channel, Document, Piece
from routeiq.wires import sse
from routeiq_sdk import AsyncStreamFilter, Context, RequestError, Stop, StreamFilter
from routeiq_sdk.filters import Chain

Answer = list[str] | Stop
_DONE = b"[DONE]"


class Stopped(Exception):
    """A filter ended the stream."""

    def __init__(self, stop: Stop) -> None:
        self.stop = stop
        super().__init__(stop.reason)


class WatchedFilter:
    """A plugin's filter, whose time is measured and whose failure refuses in the plugin's name."""

    __slots__ = ("_call", "_ctx", "_errors", "_filter")

    def __init__(self, item: StreamFilter | AsyncStreamFilter, call: Call, ctx: Context, errors: Errors) -> None:
        self._filter = item
        self._call = call
        self._ctx = ctx
        self._errors = errors

    async def feed(self, delta: str) -> Answer:
        """The filter's answer to a piece of text. Raises `RequestError` when it has none."""
        return await self._answer(self._filter.feed, delta)

    async def end(self) -> Answer:
        """The filter's last answer. Raises `RequestError` when it has none."""
        return await self._answer(self._filter.end)

    async def _answer(self, ask: Callable[..., Answer | Awaitable[Answer]], *text: str) -> Answer:
        started = time.perf_counter_ns()
        try:
            answer = ask(*text)
            if not isinstance(answer, list | Stop):
                async with asyncio.timeout(gates.STAGE_SECONDS):
                    answer = await answer
            if not isinstance(answer, Stop):
                "".join(answer)
            else:
                gates.ruled(self._call, self._ctx, answer)
            return answer
        except RequestError:
            raise
        except Exception as error:
            gates.failed(self._call, self._ctx, error)
            raise self._errors.plugin_failed(self._call.plugin, self._call.hook) from None
        finally:
            self._call.stats.total_ns += time.perf_counter_ns() - started


MakeFilters = Callable[[str], Sequence[WatchedFilter]]
"""Fresh filters for a part of the stream, in the order of their plugins."""


class _Guarded:
    """One channel: its filters, and an event of it as the model for those that carry what was held back."""

    __slots__ = ("_chain", "frame", "model")

    def __init__(self, filters: Sequence[WatchedFilter], frame: frames.Frame, model: Document) -> None:
        self._chain = Chain(filters)
        self.frame = frame
        self.model = model

    async def through(self, text: str) -> str:
        """What of `text`, and of what was held back, may go out."""
        return _allowed(await self._chain.feed(text))

    async def rest(self) -> str:
        """The text is over: what was held back."""
        return _allowed(await self._chain.end())


class StreamGuard:
    """One stream's filters. Every text of the stream (of a choice, a content block, a call) has filters of its own,
    since held-back text cannot move from one to another. Once a filter ended the stream, `refusal` says how."""

    def __init__(self, make: MakeFilters, wire: str) -> None:
        self._make = make
        self._texts = TEXTS[wire]
        self._made: Sequence[WatchedFilter] | None = make("text")  # a plugin that cannot begin fails before the answer
        self._channels: dict[Channel, _Guarded] = {}
        self.refusal: Stopped | RequestError | None = None

    async def feed(self, block: bytes) -> bytes:
        """What of a block may go out; how events were gathered into blocks makes no difference."""
        out: list[bytes] = []
        try:
            for raw in sse.frames(block):
                await self._event(raw, out)
        except (Stopped, RequestError) as refusal:
            self.refusal = refusal
        return b"".join(out)

    async def end(self) -> bytes:
        """What was held back when the stream ended without saying so; nothing after a refusal."""
        out: list[bytes] = []
        if self.refusal is not None:
            return b""
        try:
            await self._close(-1, out)
        except (Stopped, RequestError) as refusal:
            self.refusal = refusal
        return b"".join(out)

    async def _event(self, raw: bytes, out: list[bytes]) -> None:
        frame = frames.parse(raw)
        document = frame.document
        if document is None:
            if frame.broken:
                return  # nobody could look into it, so nobody may let it pass
            if _DONE in raw:
                await self._close(-1, out)
            out.append(raw)
            return
        pieces = self._texts.pieces(document)
        closing = self._texts.closes(document)
        for piece in pieces:
            await self._pass(piece, frame, document, closing)
        if closing is not None:
            await self._close(closing, out)
        if not pieces:
            out.append(raw)
        elif any(piece.holder[piece.key] for piece in pieces) or not self._texts.worthless(document):
            out.append(frames.write(frame, document))

    async def _pass(self, piece: Piece, frame: frames.Frame, document: Document, closing: int | None) -> None:
        guarded = self._channels.get(piece.channel)
        if guarded is None:
            guarded = _Guarded(self._filters(piece.channel.part), frame, document)
            self._channels[piece.channel] = guarded
        text = await guarded.through(piece.text)
        if closing == -1 or closing == piece.channel.block:
            del self._channels[piece.channel]
            text += await guarded.rest()
        piece.put(text)

    async def _close(self, block: int, out: list[bytes]) -> None:
        """Send what the block's texts held back, in the order in which they began."""
        for channel in [known for known in self._channels if block in (-1, known.block)]:
            guarded = self._channels.pop(channel)
            text = await guarded.rest()
            if text:
                out.append(_lone_frame(guarded, self._texts.lone(guarded.model, channel, text)))

    def _filters(self, part: str) -> Sequence[WatchedFilter]:
        made, self._made = (self._made, None) if part == "text" else (None, self._made)
        return made if made is not None else self._make(part)


def _lone_frame(guarded: _Guarded, document: Document) -> bytes:
    kind = document.get("type")
    return frames.write(frames.Frame(b"", str(kind) if kind and guarded.frame.event else None, None), document)


def _allowed(answer: Answer) -> str:
    if isinstance(answer, Stop):
        raise Stopped(answer)
    return "".join(answer)
