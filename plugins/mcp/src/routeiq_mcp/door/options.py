"""The door's bounds and keys. Each has a default that is safe; the plugin's configuration fills them.

What they do is told where they are used.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DoorOptions:
    """Bounds of the door. `keys` (each at least 32 bytes, the same in all replicas) seal what clients carry for the
    gateway: session ids and request states. The first seals, all open, so a key can be changed."""

    keys: tuple[bytes, ...]
    session_seconds: float = 24 * 3600.0
    """A session ends then, however busy it is; its client opens another."""
    json_seconds: float = 2.0
    """A request that is not answered by then gets an event stream, on which the client is seen to leave."""
    ping_seconds: float = 15.0
    question_seconds: float = 300.0
    """How long a client may take to answer what a server asks."""
    state_seconds: float = 3600.0
    """How long a client may carry the state of a server behind the gateway."""
    consent_seconds: float = 60.0
    """How long a request waits for the user to agree at the page that was opened for it."""
    rounds: int = 10
    """How often one request may ask the client for more."""
    parked: int = 1000
    """Calls that wait for a client which is not connected, in this process."""
    parked_per_caller: int = 20
    streams: int = 4000
    """Streams that wait more than they work, in this process."""
    streams_per_caller: int = 100
    batch: int = 50
    """Messages in one batch (2025-03-26)."""
    retry_ms: int = 1000
    """When a client shall come back to a stream that broke."""
    kept_messages: int = 256
    """Messages of one call that are kept for a client that comes back."""
