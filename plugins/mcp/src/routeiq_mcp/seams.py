"""The seams of the plugin: the client behind a request, a server behind the gateway, and what lies between.

Everything here is without a wire: the door speaks to clients, upstreams speak to servers, and both meet in these words.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from routeiq_sdk import Context

Era = Literal["legacy", "modern"]
"""`legacy`: with a handshake (2024-11-05 to 2025-11-25). `modern`: without (2026-07-28 and later)."""

Json = Mapping[str, Any]


class McpError(Exception):
    """A JSON-RPC error, with the code that both eras share; a door that speaks another era translates it.

    The message reaches the client; keep secrets out of it.
    """

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        self.code = code
        self.message = message
        self.data = data
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server says of itself: MCP `ServerCapabilities` in modern form (extensions included), its
    `Implementation`, instructions for models, and the versions it speaks."""

    capabilities: Json
    info: Json
    instructions: str | None = None
    era: Era = "modern"
    versions: tuple[str, ...] = ()


class Peer(Protocol):
    """The client behind one request, as whoever answers it sees it. It lives as long as the request."""

    @property
    def era(self) -> Era:
        """The era that the client speaks."""

    @property
    def version(self) -> str:
        """The version of the protocol that the client speaks."""

    @property
    def capabilities(self) -> Json:
        """MCP `ClientCapabilities` as the client declared them."""

    @property
    def info(self) -> Json | None:
        """The client's `Implementation`."""

    @property
    def log_level(self) -> str | None:
        """The least level of log messages that the client wants; `None` for none."""

    @property
    def facts(self) -> Mapping[str, str]:
        """Facts of its request for the record, by the names of `routeiq_sdk.events.tool_call.FACTS`."""

    async def notify(self, method: str, params: Json) -> None:
        """Send the client a notification that belongs to its request: progress, a log message. Never waits for long;
        dropped when the client has no way to take it."""

    async def ask(self, method: str, params: Json) -> Json:
        """Ask the client something (`elicitation/create`, `sampling/createMessage`, `roots/list`) and wait for the
        result.

        A modern client is asked by ending its request with `input_required`; it comes back with another request, which
        this call then answers. Raises `McpError` when the client cannot be asked, says no, or goes away.
        """


class Upstream(Protocol):
    """One server behind the gateway, in whatever era, over whatever transport.

    Methods, params and results are those of the modern era without its protocol `_meta` keys (the transport adds and
    takes them): results carry `resultType`, which is `complete` for a legacy server. What a user put in `_meta`
    (progressToken, traceparent) passes.
    """

    @property
    def name(self) -> str:
        """Its name among the servers."""

    async def facts(self, ctx: Context) -> ServerFacts:
        """What it says of itself, as the caller of `ctx` sees it.

        Raises `McpError`, `ConsentNeeded`, `RequestError`.
        """

    async def request(self, ctx: Context, method: str, params: Json, peer: Peer) -> Json:
        """Ask it something on behalf of the caller of `ctx`. Notifications on the way go to `peer.notify`, what a
        legacy server asks goes to `peer.ask`; a modern server's `input_required` is returned as it is.

        Raises `McpError` for its error and for a server that is away, late, too large or not speaking the protocol;
        `ConsentNeeded` when the caller has to agree first.
        """

    def listen(self, ctx: Context, wanted: Json) -> AsyncIterator[tuple[str, Json]]:
        """Notifications that belong to no request, as `(method, params)`. `wanted` is the `notifications` filter of
        `subscriptions/listen`. Ends when the server ends it."""

    async def close(self) -> None:
        """End sessions and connections."""


class Face(Protocol):
    """What is served at one path to one caller: a server, a virtual server, or everything that the caller may use."""

    @property
    def name(self) -> str:
        """Name of the server or virtual server; `mcp` for everything."""

    async def facts(self, ctx: Context) -> ServerFacts:
        """What `initialize` and `server/discover` answer."""

    async def request(self, ctx: Context, method: str, params: Json, peer: Peer) -> Json:
        """Answer a request of the protocol, in the modern form.

        Raises `McpError`, `RequestError` for a refusal, `ConsentNeeded` when the caller has to agree first.
        """

    async def tool(self, ctx: Context, name: str) -> Json | None:
        """The definition of a tool as the caller sees it in the list; `None` when it is not there, or not known yet.

        The door asks it before each `tools/call` (headers repeat arguments), so it must be a look-up.
        """

    def listen(self, ctx: Context, wanted: Json) -> AsyncIterator[tuple[str, Json]]:
        """Notifications for `subscriptions/listen` and for a legacy client's GET stream."""


class Faces(Protocol):
    """Finds what is served at a path."""

    def find(self, ctx: Context, server: str | None) -> Face | None:
        """The face at `/{server}/mcp`, or at `/mcp` for `None`; `None` when nobody is there, or not for this caller."""
