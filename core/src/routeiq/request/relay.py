"""Passes a running answer on to the client: restamps the model, reads the usage, notices how the stream ended.

It holds no policy: filters, prices and settlement come from outside.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from routeiq.errors import UpstreamError
from routeiq.request import frames
from routeiq.request.answer_headers import usd
from routeiq.request.stream_guard import StreamGuard
from routeiq.request.translation import StreamTranslation
from routeiq.surfaces.base import Surface
from routeiq.upstream.base import Stream
from routeiq.upstream.classify import stream_failure
from routeiq.wires import sse
from routeiq_sdk import Deployment, Usage

Send = Callable[[bytes], Awaitable[None]]
_DONE = b"data: [DONE]\n\n"


@dataclass(slots=True)
class Passed:
    """What is known about a stream while and after it is passed on. `sent` counts bytes of the client's side."""

    usage: Usage | None = None
    ended: bool = False
    sent: int = 0


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
    ) -> None:
        self._stream = stream
        self._deployment = deployment
        self._wants_usage = wants_usage
        self._tell_cost = tell_cost and deployment.price is not None
        self._rules = frames.RULES[stream.wire]
        self._translation = None if stream.wire == surface.wire else StreamTranslation(stream.wire, surface, model)
        self._restamp = frames.restamp(model)
        self._guard = guard
        self._openai = stream.wire.startswith("openai")
        self.passed = Passed()

    async def run(self, send: Send) -> None:
        """Pass all blocks on. Raises `UpstreamError` when the provider breaks off or sends an error, `Stopped` when a
        filter ends the stream."""
        passed = self.passed
        nearly = False
        async for block in self._stream.blocks():
            error = self._rules.error(block)
            if error is not None:
                raise stream_failure(error)
            if frames.USAGE.search(block) is not None:
                block = self._with_usage(block)
            if not passed.ended:
                passed.ended = self._rules.ends(block)
                nearly = nearly or self._rules.nearly_ended(block)
            out = self._turn(block)
            if out:
                passed.sent += len(out)
                await send(out)
        if not passed.ended and not nearly:
            raise UpstreamError(
                "cut", 0, "APIConnectionError", "the provider closed the stream before its answer was complete"
            )
        closing = self._closing()
        passed.ended = True
        if closing:
            await send(closing)

    def _turn(self, block: bytes) -> bytes:
        if self._translation is not None:
            block = self._translation.feed(block)
        else:
            block = self._restamp(block)
        if self._guard is not None and block:
            block = self._guard.feed(block)
        return block

    def _closing(self) -> bytes:
        out = self._translation.end() if self._translation is not None else b""
        if self._guard is not None:
            out = (self._guard.feed(out) if out else b"") + self._guard.end()
        if self._translation is None and self._openai and not self.passed.ended:
            out += _DONE
        return out

    def _with_usage(self, block: bytes) -> bytes:
        out: list[bytes] = []
        for raw in sse.SseSplitter().feed(block):
            frame = frames.parse(raw)
            if frame.document is None or frames.USAGE.search(raw) is None:
                out.append(raw)
                continue
            self.passed.usage = self._rules.usage(frame.document, self.passed.usage)
            if self._openai and self._translation is None:
                if self._rules.only_usage(frame.document) and not self._wants_usage:
                    continue  # we asked the provider for it, the client did not
                raw = self._told(frame, raw)
            out.append(raw)
        return b"".join(out)

    def _told(self, frame: frames.Frame, raw: bytes) -> bytes:
        price, usage, document = self._deployment.price, self.passed.usage, frame.document
        if not (self._tell_cost and price is not None and usage is not None and document is not None):
            return raw
        cost = float(usd(price.cost(usage)))
        return frames.write(frame, {**document, "usage": {**document["usage"], "cost": cost}})
