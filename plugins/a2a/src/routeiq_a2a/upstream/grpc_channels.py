"""Connections to agents of gRPC: each to an address that the egress has just checked, never to a name.

What is said on them is `upstream.grpc_calls`' business. Imported only for an agent that is called by gRPC.
"""

from __future__ import annotations

import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from urllib.parse import SplitResult, urlsplit

import grpc
import grpc.aio

from routeiq_sdk.gateway import EgressService

_MOST_IDLE = 64
_PORTS = {"http": 80, "https": 443}
_OPTIONS = (
    ("grpc.enable_http_proxy", 0),  # a proxy of the environment would connect elsewhere
    ("grpc.enable_retries", 0),  # a message must not be sent twice
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.client_idle_timeout_ms", 60_000),
    ("grpc.primary_user_agent", "routeiq"),
)


class _Kept:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.users = 0


class Channels:
    """Channels by where they lead. One that nobody uses is closed when there are too many."""

    def __init__(self, egress: EgressService, *, most_bytes: int) -> None:
        """`most_bytes` is the longest message that an agent may send."""
        self._egress = egress
        self._options = (*_OPTIONS, ("grpc.max_receive_message_length", most_bytes))
        self._authorities: bytes | None = None
        self._kept: OrderedDict[tuple[str, str, bool], _Kept] = OrderedDict()

    @asynccontextmanager
    async def to(self, url: str, *, untrusted: bool, tenants: Iterable[str]) -> AsyncIterator[grpc.aio.Channel]:
        """A channel to the host and port of `url`, an http(s) address. Raises what the egress raises."""
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
        target = _target(await self._egress.pinned(url, untrusted=untrusted, tenants=tenants), port)
        key = (f"{parts.scheme}://{parts.netloc}", target, untrusted)
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = _Kept(self._opened(parts, port, target))
        self._kept.move_to_end(key)
        kept.users += 1
        try:
            yield kept.channel
        finally:
            kept.users -= 1
            await self._tidy()

    async def close(self) -> None:
        """Close them all."""
        kept, self._kept = self._kept, OrderedDict()
        for each in kept.values():
            await each.channel.close()

    def _opened(self, parts: SplitResult, port: int, target: str) -> grpc.aio.Channel:
        host = parts.hostname or ""
        shown = f"[{host}]" if ":" in host else host
        options = (*self._options, ("grpc.default_authority", f"{shown}:{port}"))
        if parts.scheme == "http":
            return grpc.aio.insecure_channel(target, options=options)
        self._authorities = self._authorities or _authorities()
        # The target is a number, so the name that the certificate must have is told here.
        named = (*options, ("grpc.ssl_target_name_override", host))
        return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(self._authorities), options=named)

    async def _tidy(self) -> None:
        idle = [key for key, kept in self._kept.items() if not kept.users]
        for key in idle[: max(0, len(idle) - _MOST_IDLE)]:
            await self._kept.pop(key).channel.close()


def _target(addresses: Sequence[str], port: int) -> str:
    """A target of numbers. A target has one family, so that of the first address; sorted, so that the order of an
    answer of the name server makes no new channel."""
    modern = ":" in addresses[0]
    of_family = sorted({address for address in addresses if (":" in address) == modern})
    if modern:
        return "ipv6:" + ",".join(f"[{address}]:{port}" for address in of_family)
    return "ipv4:" + ",".join(f"{address}:{port}" for address in of_family)


def _authorities() -> bytes | None:
    """Whom Python's own TLS trusts (`SSL_CERT_FILE` too), in PEM; `None`, gRPC's own list, where it does not tell."""
    trusted = ssl.create_default_context().get_ca_certs(binary_form=True)
    return "".join(map(ssl.DER_cert_to_PEM_cert, trusted)).encode() or None
