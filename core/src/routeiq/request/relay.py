"""Passes a running answer on to the client: restamps the model, reads the usage, notices how the stream ended.

It holds no policy: filters, prices and settlement come from outside.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from routeiq.errors import UpstreamError
from routeiq.request import frames
from routeiq.request.answer_headers import usd
from routeiq.request.metering import Metering
from routeiq.request.stream_guard import StreamGuard
from routeiq.request.translation import StreamTranslation
from routeiq.surfaces.base import Surface
from routeiq.upstream.base import Stream
from routeiq.upstream.classify import stream_failure
from routeiq.wires import sse
from routeiq.wires.reading import Untranslatable
from routeiq_sdk import Deployment, Usage

Send = Callable[[bytes], Awaitable[None]]
_DONE = b"data: [DONE]\n\n"
_LINGER_SECONDS = 0.5
_BLOCKS_WITH_ID = 4
"""Where the id of the answer is looked for; some providers begin with events that have none."""


@dataclass(slots=True)
class Passed:
    """What is known about a stream while and after it is passed on. `sent` counts bytes of the client's side."""

    usage: Usage | None = None
    ended: bool = False
    sent: int = 0
    response_id: str | None = None
    finish_reason: str | None = None


class Relay:
    """One stream on its way to one client."""

    def __init__(
        self,
        stream: Stream,
        surface: Surface,
        deployment: Deployment,
        model: str,
        *,
        wants_usage: bool,
        tell_cost: bool,
        guard: StreamGuard | None,
        meter: Metering | None = None,
    ) -> None:
        self._stream = stream
        self._deployment = deployment
        self._wants_usage = wants_usage
        self._tell_cost = tell_cost and deployment.price is not None
        self._rules = frames.RULES[stream.wire]
        self._translation = None if stream.wire == surface.wire else StreamTranslation(stream.wire, surface, model)
        self._restamp = frames.restamp(model)
        self._guard = guard
        self._meter = meter
        self._blocks = stream.blocks()
        self._client_rules = frames.RULES[surface.wire]
        self._openai = surface.wire.startswith("openai")
        self.passed = Passed()

    async def run(self, send: Send) -> None:
        """Pass all blocks on. Raises `UpstreamError` when the provider breaks off or sends an error, `Stopped` or
        `RequestError` when a filter ends the stream. What came before that has been passed on."""
        passed = self.passed
        nearly = False
        unnamed = _BLOCKS_WITH_ID
        async for block in self._blocks:
            if unnamed:
                passed.response_id = frames.response_id(block)
                unnamed = 0 if passed.response_id is not None else unnamed - 1
            passed.finish_reason = frames.finish_reason(block) or passed.finish_reason
            error = self._rules.error(block)
            if error is not None:
                await self._pass(self._before_error(block), send)
                raise stream_failure(error)
            if frames.USAGE.search(block) is not None:
                self._read_usage(block)
            if self._meter is not None:
                await self._meter.see(block)
            if not passed.ended:
                passed.ended = self._rules.ends(block)
                nearly = nearly or self._rules.nearly_ended(block)
            await self._pass(block, send)
            if passed.ended:
                break  # a provider that keeps the connection open does not keep the client waiting
        if not passed.ended and not nearly:
            raise UpstreamError(
                "cut", 0, "APIConnectionError", "the provider closed the stream before its answer was complete"
            )
        closing = await self._closing()
        passed.ended = True
        if closing:
            await send(closing)
        self._obey_filters()

    async def drain(self) -> None:
        """Wait a moment for the formal end of a complete answer, so that its connection can be used again."""
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                async for _ in self._blocks:
                    pass
        except (TimeoutError, UpstreamError):
            pass  # what comes after the answer is no part of it

    async def _pass(self, block: bytes, send: Send) -> None:
        out = await self._turn(block)
        if out:
            self.passed.sent += len(out)
            await send(out)
        self._obey_filters()

    def _obey_filters(self) -> None:
        if self._guard is not None and self._guard.refusal is not None:
            raise self._guard.refusal

    def _before_error(self, block: bytes) -> bytes:
        sound = list(itertools.takewhile(lambda raw: self._rules.error(raw) is None, sse.frames(block)))
        return b"".join(sound)

    async def _turn(self, block: bytes) -> bytes:
        block = self._restamp(block) if self._translation is None else self._translated(block)
        if self._openai and (match := frames.USAGE.search(block)) is not None:
            block = self._tell_usage(block, match.start())
        if self._guard is not None and block:
            block = await self._guard.feed(block)
        return block

    async def _closing(self) -> bytes:
        out = self._translation.end() if self._translation is not None else b""
        if self._guard is not None:
            out = (await self._guard.feed(out) if out else b"") + await self._guard.end()
            if self._guard.refusal is not None:
                return out
        if self._translation is None and self._openai and not self.passed.ended:
            out += _DONE
        return out

    def _translated(self, block: bytes) -> bytes:
        assert self._translation is not None
        try:
            return self._translation.feed(block)
        except Untranslatable as error:
            raise UpstreamError("garbage", 200, "BadGatewayError", f"the provider's stream: {error}") from error

    def _read_usage(self, block: bytes) -> None:
        end = 0
        for match in frames.USAGE.finditer(block):
            if match.start() < end:
                continue  # in the frame that was read just now
            begin, end = sse.frame_around(block, match.start(), end)
            document = frames.parse(block[begin:end]).document
            if document is not None:
                self.passed.usage = self._rules.usage(document, self.passed.usage)

    def _tell_usage(self, block: bytes, position: int) -> bytes:
        """Add the cost to the client's usage event, or leave the event out: we asked for it, the client may not
        have."""
        out: list[bytes] = []
        done = 0
        while position >= 0:
            begin, end = sse.frame_around(block, position, done)
            out += (block[done:begin], self._usage_event(frames.parse(block[begin:end])))
            done = end
            again = frames.USAGE.search(block, end)
            position = again.start() if again is not None else -1
        return b"".join((*out, block[done:]))

    def _usage_event(self, frame: frames.Frame) -> bytes:
        document = frame.document
        if document is None or not isinstance(document.get("usage"), dict):
            return frame.raw
        if self._wants_usage:
            return self._told(frame, document)
        return b"" if self._client_rules.only_usage(document) else frame.raw

    def _told(self, frame: frames.Frame, document: frames.Document) -> bytes:
        price, usage = self._deployment.price, self.passed.usage
        if not self._tell_cost or price is None or usage is None:
            return frame.raw
        return frames.write(frame, {**document, "usage": {**document["usage"], "cost": float(usd(price.cost(usage)))}})
