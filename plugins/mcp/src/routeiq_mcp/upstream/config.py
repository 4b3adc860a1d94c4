"""What is known of a server before anybody calls it. The hub makes these of YAML rows and of rows of the database.

How a server is called is the transports' business, what it is called for the hub's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from routeiq_mcp.upstream.signed import SignedProgram
from routeiq_sdk import Secret
from routeiq_sdk.values.delegation import Delegate, OutboundAuth
from routeiq_sdk.values.tools import ToolServer

Transport = Literal["http", "sse", "stdio", "openapi", "inside"]

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class OperationChoice:
    """Which operations of an OpenAPI document become tools: globs over the tools' names, and tags. An operation is
    taken when it is included by a name or a tag (or nothing is listed at all) and excluded by neither."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    include_tags: tuple[str, ...] = ()
    exclude_tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """A server behind the gateway.

    | transport | needs |
    |---|---|
    | `http` (streamable HTTP, both eras), `sse` (2024-11-05) | `url` |
    | `stdio` | `program`, which a trusted key has signed; never of a row that is not `trusted` |
    | `openapi` | `document` (a file) or `url` (of the document); `base_url` when the document is a file |
    | `inside` | `inside` |

    `trusted` says that the operator wrote the row (YAML): a row of the database or the admin API is not, and its URL
    never reaches a private address. `headers` go with every call and are no credentials of a user; `auth` says how
    the caller is named. `forward_headers` are names of the client's headers that are passed on, with the names that
    they have upstream; never one that carries the gateway's own credentials.
    """

    name: str
    transport: Transport = "http"
    url: str | None = None
    program: SignedProgram | None = None
    document: Path | None = None
    base_url: str | None = None
    operations: OperationChoice = OperationChoice()
    inside: ToolServer | None = None
    auth: OutboundAuth = field(default_factory=OutboundAuth)
    headers: Mapping[str, Secret] = field(default_factory=dict)
    forward_headers: Mapping[str, str] = field(default_factory=dict)
    trusted: bool = False
    protocol_version: str | None = None
    """Pins the protocol's version, and with it the era; `None` finds out."""
    timeout_seconds: float = 60.0
    """The longest silence of the server while a request waits; progress begins it anew."""
    most_seconds: float = 600.0
    """The end of a request, whatever the server reports on the way."""
    max_bytes: int = 10 * MEBIBYTE
    """The largest answer or message of the server."""
    title: str = ""

    @property
    def delegate(self) -> Delegate:
        """The server as delegation knows it."""
        return Delegate(
            id=f"mcp:{self.name}",
            url=self.base_url or self.url or "",
            auth=self.auth,
            title=self.title or self.name,
            untrusted=not self.trusted,
        )
