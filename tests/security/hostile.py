"""Hostile URLs, and every way by which one may come to the egress. The canary counts who arrives, not the client.

Used by the suite and by the benchmark `egress`; what a whole gateway is asked over HTTP is in `test_s1_hostile_urls`.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import orjson

from routeiq.egress import Egress, EgressPolicy, PoolLimits, httpx_client
from routeiq.handle import PluginEgress
from routeiq.upstream import litellm_media
from routeiq.upstream.base import Limits
from routeiq.upstream.exchange import HttpAdapter, Target
from routeiq.upstream.litellm_line import Line
from routeiq.upstream.openai import OpenAICodec
from routeiq.wires.body import Body, read_fields
from routeiq_sdk import Attempt, Deployment, RouteIQError, Secret
from routeiq_sdk.testing import FakeGateway, make_context

from . import hostile_protocols

CORPUS: dict[str, list[str]] = json.loads(
    Path(__file__).resolve().parents[2].joinpath("core/tests/egress/hostile_urls.json").read_text()
)
PORTS = 3
_LIMITS = Limits(connect=5, answer=5, idle=5, max_bytes=1 << 20)


@dataclass
class Canaries:
    """Listeners on several ports of 127.0.0.1 and, where there is IPv6, of ::1. Nobody may connect."""

    ports: list[int] = field(default_factory=list)
    hits: int = 0
    _servers: list[asyncio.Server] = field(default_factory=list)

    async def start(self) -> None:
        for _ in range(PORTS):
            first = await asyncio.start_server(self._connected, "127.0.0.1", 0)
            port = first.sockets[0].getsockname()[1]
            self.ports.append(port)
            self._servers.append(first)
            if socket.has_ipv6:
                try:
                    self._servers.append(await asyncio.start_server(self._connected, "::1", port))
                except OSError:
                    pass  # no IPv6 here

    async def stop(self) -> None:
        for server in self._servers:
            server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hits += 1
        await reader.read(65536)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        writer.close()

    def urls(self, templates: Iterable[str]) -> list[str]:
        """Addresses on these canaries, each on one of the ports."""
        return [text.replace("{port}", str(self.ports[place % PORTS])) for place, text in enumerate(templates)]


def all_urls() -> list[str]:
    """The whole corpus."""
    return [url for urls in CORPUS.values() for url in urls]


async def worst_name_server(host: str, port: int) -> Sequence[str]:
    """Reads numbers as generously as the system's resolver does, and says 127.0.0.1 to every name."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return ["127.0.0.1"]
    return [str(answer[4][0]) for answer in found]


@dataclass
class Place:
    """An egress without any operator's origin, behind the worst name server, and a plugin's handle on it."""

    egress: Egress
    gateway: FakeGateway


@asynccontextmanager
async def place(*allow: str) -> AsyncIterator[Place]:
    """A place of one's own."""
    policy = EgressPolicy.compile([], allow)
    async with Egress(policy, lookup=worst_name_server, limits=PoolLimits(dns_seconds=0)) as egress:
        gateway = FakeGateway("hostile")
        gateway.egress = PluginEgress(egress)  # type: ignore[assignment]
        yield Place(egress, gateway)
        await gateway.aclose()


EntryPoint = Callable[[Place, str], Awaitable[object]]


async def _request(at: Place, url: str) -> None:
    async with at.egress.request("GET", at.egress.policy.parse(url)) as response:
        await response.read()


async def _fetch(at: Place, url: str) -> None:
    await at.egress.fetch(url, max_bytes=1000, timeout=5, redirects=5)


async def _httpx(at: Place, url: str) -> None:
    async with httpx_client(at.egress) as client:
        await client.get(url, follow_redirects=True)


async def _httpx_untrusted(at: Place, url: str) -> None:
    async with httpx_client(at.egress, untrusted=True) as client:
        await client.post(url, content=b"{}", follow_redirects=True)


async def _plugin(at: Place, url: str) -> None:
    async with at.gateway.egress.call("GET", url) as response:
        await response.read()


async def _plugin_untrusted(at: Place, url: str) -> None:
    async with at.gateway.egress.call("POST", url, body=b"{}", untrusted=True) as response:
        await response.read()


async def _row(at: Place, url: str) -> None:
    """A row of the database, on a native wire."""
    row = Deployment(id="d", group="g", provider="openai", model="m", wire="openai", api_base=url, api_key=Secret("k"))
    adapter = HttpAdapter(OpenAICodec(), at.egress, {"d": Target(url, {"authorization": "Bearer k"}, untrusted=True)})
    body = Body("openai-chat", read_fields(b'{"model":"g","messages":[]}'), "g", False)
    await adapter.exchange(make_context(), row, Attempt(1, row, {}, {}), body, _LIMITS)


async def _litellm(at: Place, url: str) -> None:
    """What litellm, or an SDK inside it, asks of its HTTP client."""
    line = Line(at.egress, 1000, untrusted=True)
    try:
        response = await line.send(httpx.Request("POST", url, content=b"{}"))
        await response.aread()
    finally:
        await line.close()


async def _image(at: Place, url: str) -> None:
    content = [{"type": "image_url", "image_url": {"url": url}}]
    await _inlined(at, url, content)


async def _file(at: Place, url: str) -> None:
    await _inlined(at, url, [{"type": "file", "file": {"file_id": url}}])


async def _inlined(at: Place, url: str, content: list[dict[str, object]]) -> None:
    before = orjson.dumps(content)
    await litellm_media.inline(at.egress, [{"role": "user", "content": content}])
    if orjson.dumps(content) == before:
        raise RouteIQError("left as it is: the gateway fetches http and https alone")


async def _issuer(at: Place, url: str) -> None:
    """A JWKS or discovery address, as an issuer's document names it."""
    from routeiq_oidc.fetching import fetch_json

    await fetch_json(at.gateway, url)


async def _langfuse(at: Place, url: str) -> None:
    """The Langfuse that a key or a team names for itself."""
    from routeiq_callbacks.config import LangfuseTarget
    from routeiq_callbacks.targets.base import Door, send
    from routeiq_callbacks.targets.langfuse import Langfuse

    config = LangfuseTarget.model_construct(
        host=url, public_key=Secret("p"), secret_key=Secret("s"), api="auto", tags=(), default_tags=()
    )
    posting = Langfuse(config, tenants=Door(untrusted=True))._events
    await send(at.gateway, "POST", posting.url, {}, b"{}", (), Door(untrusted=True))


async def _webhook(at: Place, url: str) -> None:
    from routeiq_callbacks.targets.base import send

    await send(at.gateway, "POST", url, {}, b"{}")


async def _audit(at: Place, url: str) -> None:
    """A SIEM's webhook, or an S3 endpoint."""
    from routeiq_audit.sinks.calling import call

    await call(at.gateway, "sink", "PUT", url, headers={}, body=b"x", seconds=5)


async def _otlp(at: Place, url: str) -> None:
    from routeiq_otel.settings import Destination
    from routeiq_otel.transport import HttpTransport

    to = Destination(signal="traces", url=url, protocol="http/protobuf", headers={})
    await HttpTransport(at.gateway, to).send(b"x")


ENTRY_POINTS: dict[str, EntryPoint] = {
    "Egress.request": _request,
    "Egress.fetch": _fetch,
    "httpx transport": _httpx,
    "httpx transport, untrusted": _httpx_untrusted,
    "plugin call": _plugin,
    "plugin call, untrusted": _plugin_untrusted,
    "api_base of a database row": _row,
    "connection of litellm": _litellm,
    "image in a prompt": _image,
    "file in a prompt": _file,
    "JWKS and OIDC discovery": _issuer,
    "Langfuse of a tenant": _langfuse,
    "webhook": _webhook,
    "audit sink": _audit,
    "OTLP over HTTP": _otlp,
    **hostile_protocols.WAYS,
}


async def arrivals(enter: EntryPoint, canaries: Canaries, at: Place, templates: Iterable[str]) -> tuple[int, list[str]]:
    """How often the canaries were reached by these URLs, and which URLs got an answer from anywhere."""
    before, answered = canaries.hits, []
    for url in canaries.urls(templates):
        try:
            async with asyncio.timeout(10):
                await enter(at, url)
        except Exception:
            continue
        answered.append(url)
    return canaries.hits - before, answered
