"""Why a token does not count. How a client is told is the gate's business.

Texts here reach the client: they hold no claim, no key and no address.
"""

from __future__ import annotations


class Refused(Exception):
    """The token is not accepted, and another try with it would not help."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Unavailable(Exception):
    """Nobody can tell now. `retry_after` is in seconds, `reason` for our log."""

    def __init__(self, reason: str, retry_after: float = 1.0) -> None:
        self.reason = reason
        self.retry_after = retry_after
        super().__init__(reason)
