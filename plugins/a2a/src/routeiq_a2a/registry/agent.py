"""An agent as the gateway knows it, from whichever place it came.

Its card, as far as it has to be fetched, is `cards`' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from routeiq_sdk.values.delegation import Delegate, OutboundAuth

MESSAGE = "message/send"
"""The tool of an agent as permissions, limits and records know it: A2A names no skill when it sends a message."""


@dataclass(frozen=True, slots=True)
class Agent:
    """`price` is what one message costs, in nano-USD. `untrusted` says that its address came by the admin API."""

    id: str
    name: str
    url: str | None = None
    card_url: str | None = None
    card: Mapping[str, Any] | None = None
    origins: tuple[str, ...] = ()
    binding: str | None = None
    version: str | None = None
    auth: OutboundAuth = field(default_factory=OutboundAuth)
    trusted_keys: tuple[str, ...] = ()
    verify: bool = False
    push: bool = True
    as_model: bool = False
    as_tools: bool = False
    price: int = 0
    timeout: float = 120.0
    stream_timeout: float = 3600.0
    untrusted: bool = False
    row: Mapping[str, Any] = field(default_factory=dict)
    """What LiteLLM's routes show of it, without secrets."""

    @property
    def address(self) -> str:
        """The address that names it: its own, else that of its card."""
        address = self.url or self.card_url
        assert address is not None
        return address

    @property
    def written(self) -> tuple[str, ...]:
        """Every address that was written for it."""
        return tuple(url for url in (self.url, self.card_url, *self.origins) if url)

    @property
    def delegate(self) -> Delegate:
        """The agent as delegation sees it."""
        return Delegate(f"a2a:{self.id}", self.address, self.auth, self.name, self.untrusted)

    def may_be_called_at(self, url: str) -> bool:
        """Whether `url` lies at an origin that was written for this agent: its credentials go nowhere else."""
        return origin_of(url) in {origin_of(each) for each in self.written}


def origin_of(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    try:
        port = parts.port
    except ValueError:
        port = -1
    return scheme, (parts.hostname or "").lower(), port if port is not None else {"http": 80, "https": 443}.get(scheme)
