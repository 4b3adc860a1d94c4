"""The shape of a stream filter: text goes in as it arrives, text comes out when it is safe.

Reading deltas out of a wire and writing them back is the core's business.
"""

from __future__ import annotations

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
