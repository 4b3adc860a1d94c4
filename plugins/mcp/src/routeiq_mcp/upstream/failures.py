"""Every way in which a server can fail, as one clear error each. No address and no secret stands in any of them.

What a server itself answers as an error is no failure; it passes as it is.
"""

from __future__ import annotations

from routeiq_mcp.seams import McpError
from routeiq_mcp.wire.codes import UNAVAILABLE


class SessionLost(Exception):
    """The server does not know the session any more."""


class Failure(McpError):
    """A server that did not answer as it should. `kind` is what a counter says of it."""

    def __init__(self, server: str, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(UNAVAILABLE, message, {"server": server, "reason": kind})


def away(server: str, what: str = "cannot be reached") -> Failure:
    """No connection, or one that broke."""
    return Failure(server, "away", f"the server {server} {what}")


def late(server: str) -> Failure:
    """No answer in time."""
    return Failure(server, "late", f"the server {server} did not answer in time")


def too_large(server: str, most: int) -> Failure:
    """More bytes than the server may send."""
    return Failure(server, "too_large", f"the server {server} sent more than {most} bytes")


def not_json(server: str) -> Failure:
    """Something that is no JSON."""
    return Failure(server, "not_json", f"the server {server} answered with what is no JSON")


def wrong_type(server: str) -> Failure:
    """A content type that the protocol does not have."""
    return Failure(
        server, "content_type", f"the server {server} answered with a content type that is not the protocol's"
    )


def redirecting(server: str) -> Failure:
    """A redirect; none is followed."""
    return Failure(server, "redirect", f"the server {server} answered with a redirect, and none is followed")


def refused(server: str) -> Failure:
    """The gateway's own rules on outbound calls."""
    return Failure(server, "refused", f"the gateway may not call the address of the server {server}")


def unauthorized(server: str) -> Failure:
    """The server does not accept what it was called with."""
    return Failure(server, "unauthorized", f"the server {server} does not accept the gateway's credentials")


def passed_on(server: str) -> Failure:
    """What the caller authenticates with at the gateway would have gone upstream."""
    message = f"a header for the server {server} carries the credentials of this gateway, which are never passed on"
    return Failure(server, "credentials", message)


def status(server: str, code: int) -> Failure:
    """An HTTP status without an error of the protocol."""
    return Failure(server, f"status_{code}", f"the server {server} answered with HTTP status {code}")


def not_the_protocol(server: str, what: str) -> Failure:
    """An answer that MCP does not have."""
    return Failure(server, "protocol", f"the server {server} does not keep to the protocol: {what}")


def session(server: str) -> Failure:
    """The server does not know the session that it was called in."""
    return Failure(server, "session", f"the server {server} does not know its session any more")


def no_version(server: str) -> Failure:
    """No version of the protocol that both sides speak."""
    return Failure(server, "version", f"the server {server} speaks no version of the protocol that the gateway knows")
