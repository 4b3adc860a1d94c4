"""The shapes of what watches a stream: a filter changes or stops its text, a meter holds money for it as it runs;
and several filters as one.

Reading deltas out of a wire and writing them back is the core's business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Protocol

from routeiq_sdk.values.verdict import Stop


class StreamFilter(Protocol):
    """One filter object for one stream.

    ```python
    class Censor:
        def __init__(self) -> None:
            self.held = ""

        def feed(self, delta: str) -> list[str] | Stop:
            self.held += delta
            if "password" in self.held:
                return Stop("a password")
            ready, self.held = self.held[:-8], self.held[-8:]
            return [ready] if ready else []

        def end(self) -> list[str] | Stop:
            return [self.held] if self.held else []
    ```
    """

    def feed(self, delta: str) -> list[str] | Stop:
        """Take the next piece of text; return the pieces that may go out now (none to hold back), or `Stop`."""

    def end(self) -> list[str] | Stop:
        """The text is over: return what was held back, or `Stop`."""


class AsyncStreamFilter(Protocol):
    """A stream filter that may wait, for instance for a service that judges. The stream stands still while it does, so
    it should gather text and ask once a window.

    Each answer must come within the deadline of a stage.
    """

    async def feed(self, delta: str) -> list[str] | Stop:
        """As `StreamFilter.feed`."""

    async def end(self) -> list[str] | Stop:
        """As `StreamFilter.end`."""


class Chain:
    """Several filters as one: text passes through the first, then through the second. Some may wait."""

    def __init__(self, filters: Sequence[StreamFilter | AsyncStreamFilter]) -> None:
        self._filters = filters

    async def feed(self, delta: str) -> list[str] | Stop:
        """Through all of them."""
        return await self._through([delta], closing=False)

    async def end(self) -> list[str] | Stop:
        """The rest of each, through those that follow."""
        return await self._through([], closing=True)

    async def _through(self, pieces: list[str], *, closing: bool) -> list[str] | Stop:
        for item in self._filters:
            passed: list[str] = []
            for piece in pieces:
                answer = await _given(item.feed(piece))
                if isinstance(answer, Stop):
                    return answer
                passed += answer
            if closing:
                rest = await _given(item.end())
                if isinstance(rest, Stop):
                    return rest
                passed += rest
            pieces = passed
        return pieces


async def _given(answer: list[str] | Stop | Awaitable[list[str] | Stop]) -> list[str] | Stop:
    return answer if isinstance(answer, list | Stop) else await answer


class StreamMeter(Protocol):
    """Counts one stream as it passes and holds more for it before it goes on."""

    def passed(self, tokens: int, text_bytes: int) -> bool:
        """What has passed so far, the block that is about to go out included: events that carry output (a provider
        sends at least one token in each) and UTF-8 bytes of output (a token has at least one).

        Synchronous and cheap. `True` asks for `more` to be awaited before the block goes out.
        """

    async def more(self) -> Stop | None:
        """Hold more, or `Stop`: the stream ends with a typed error event."""
