"""The small HTTP vocabulary of routes that plugins add.

Routing, authentication and errors around a handler are the core's business.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from routeiq_sdk.values.principal import Principal

if TYPE_CHECKING:
    from routeiq_sdk.context import Context


class Headers:
    """Request headers: names are case-insensitive, values are text. Built over ASGI's list without copying it."""

    __slots__ = ("_first", "raw")

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        self.raw = raw
        self._first: dict[bytes, bytes] | None = None

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value of `name`, or `default`."""
        if self._first is None:
            self._first = dict(reversed(self.raw))  # of several with one name the first stays
        value = self._first.get(name.lower().encode("latin-1"))
        return default if value is None else value.decode("latin-1")

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request to a plugin's route, after authentication. `body` is complete and within the gateway's limits."""

    method: str
    path: str
    path_params: Mapping[str, str]
    query: Mapping[str, str]
    headers: Headers
    body: bytes
    principal: Principal | None
    request_id: str = ""
    client: str | None = None
    queries: Sequence[tuple[str, str]] = ()
    """All parameters of the query, in order; `query` has the last of several with one name."""
    context: Context | None = None
    """The request on its way, for services that act on its behalf; only a test leaves it out."""
    disconnected: Callable[[], Awaitable[None]] | None = None
    """Waits until the client has gone. A stream is closed without it; a handler that works long may watch it."""

    def json(self) -> Any:
        """The body as JSON. Raises `ValueError` when it is not."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer of a plugin's route. `body` is bytes, or an async iterator of bytes for a stream.

    The iterator is closed when the client goes away. `long_lived` says that the stream waits more than it works: it
    takes no place among the requests in flight, so the plugin bounds how many there are.
    """

    status: int = 200
    body: bytes | AsyncIterator[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"
    long_lived: bool = False

    @classmethod
    def json(cls, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
        """An answer with `value` as its JSON body."""
        return cls(status, json.dumps(value, separators=(",", ":")).encode(), headers or {})


Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]


class Routes(Protocol):
    """Where `register_routes` hooks put their routes."""

    def add(
        self, method: str, path: str, handler: Handler, *, access: str, summary: str, action: str | None = None
    ) -> None:
        """Serve `handler` at `path` (Starlette syntax, `/things/{id}`).

        `access` is `public`, `key` (any authenticated caller), `admin`, or `loopback` (anybody, as the caller
        `loopback` who may use no model; a start error unless the gateway listens on loopback alone). There is no
        default, so that nobody opens a route by leaving it out. `action` (`resource:verb`, such as `key:create`) is
        what `authorize_action` hooks decide about; only a public or loopback route has none.
        Raises `PluginError` when the path is taken, or when the route declares no access or no action.
        """
