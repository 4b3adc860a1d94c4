"""Counts what a provider writes into a stream and asks the meters of plugins before it goes on.

What a meter holds money for is the plugin's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from routeiq.errors import Errors
from routeiq.plugins.compiled import Call
from routeiq.request import frames, gates
from routeiq.request.pieces import TEXTS
from routeiq.request.stream_guard import Stopped
from routeiq.request.translation import chunk_reader
from routeiq.wires import sse
from routeiq.wires.reading import Untranslatable
from routeiq.wires.text import delta_output
from routeiq_sdk import Context, RequestError, StreamMeter

_BYTES_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Metered:
    """One plugin's meter of a stream."""

    meter: StreamMeter
    call: Call


class Metering:
    """The count of one stream, in its provider's wire."""

    def __init__(self, meters: Sequence[Metered], wire: str, ctx: Context, errors: Errors) -> None:
        self._meters = meters
        self._chat = wire in ("openai-chat", "anthropic-messages")
        self._reader = chunk_reader(wire)
        self._texts = TEXTS[wire]
        self._ctx = ctx
        self._errors = errors
        self._events = 0
        self._bytes = 0

    @property
    def written(self) -> int:
        """About how many tokens the provider wrote: it sends one or more an event, of about four bytes each."""
        return max(self._events, -(-self._bytes // _BYTES_A_TOKEN))

    async def see(self, block: bytes) -> None:
        """Count a block before it goes out. Raises `Stopped` when a meter ends the stream, `RequestError` when one
        fails."""
        for raw in sse.frames(block):
            size = len(self._output(raw).encode("utf-8", "surrogatepass"))
            if size:
                self._events += 1
                self._bytes += size
        for metered in self._meters:
            try:
                if not metered.meter.passed(self._events, self._bytes):
                    continue
                async with asyncio.timeout(gates.STAGE_SECONDS):
                    stop = await metered.meter.more()
            except RequestError:
                raise
            except Exception as error:
                gates.failed(metered.call, self._ctx, error)
                raise self._errors.plugin_failed(metered.call.plugin, "meter_stream") from None
            if stop is not None:
                gates.ruled(metered.call, self._ctx, stop)
                raise Stopped(stop)

    def _output(self, raw: bytes) -> str:
        if not self._chat:
            document = frames.parse(raw).document
            return "".join(piece.text for piece in self._texts.pieces(document)) if document is not None else ""
        try:
            return "".join(delta_output(chunk) for chunk in self._reader.read(raw))
        except Untranslatable:
            return ""  # who passes the block on says what is wrong with it
