"""Makes an `Upstream` of a `ServerSpec`, and says at `setup` what cannot work.

Each transport is imported when a server needs it.
"""

from __future__ import annotations

from routeiq_mcp.seams import Upstream
from routeiq_mcp.upstream.config import ServerSpec
from routeiq_mcp.upstream.health import WatchedUpstream
from routeiq_mcp.upstream.signed import verify
from routeiq_sdk import ConfigError, Gateway

_DELEGATED = frozenset({"http", "sse", "openapi"})


def open_upstream(spec: ServerSpec, gateway: Gateway) -> WatchedUpstream:
    """The server as an `Upstream`. Opens no connection and starts no process; that is done when it is first called.

    Raises `ConfigError` for a row that cannot be used.
    """
    return WatchedUpstream(_open(spec, gateway), gateway.clock)


async def check_server(spec: ServerSpec, gateway: Gateway) -> None:
    """Whether the server can be called as it is configured; asked at `setup`. Raises `ConfigError`."""
    if spec.auth.mode in ("none", "static") or spec.transport not in _DELEGATED:
        return
    if gateway.delegation is None:
        raise ConfigError(
            f"mcp_servers.{spec.name} has auth mode {spec.auth.mode}, and no plugin offers delegation",
            mend="name the plugin oauth under routeiq.plugins",
        )
    await gateway.delegation.check(spec.delegate)


def _open(spec: ServerSpec, gateway: Gateway) -> Upstream:
    if spec.transport == "inside":
        if spec.inside is None:
            raise ConfigError(f"mcp_servers.{spec.name} is inside the gateway, and no plugin offers it")
        from routeiq_mcp.upstream.inside import InsideUpstream

        return InsideUpstream(spec.inside)
    if spec.transport == "stdio":
        if not spec.trusted or spec.program is None:
            raise ConfigError(
                f"mcp server {spec.name} starts a program, and that is for signed rows of the YAML alone",
                mend="write it into mcp_servers of the configuration and sign it with `routeiq mcp sign`",
            )
        verify(spec.name, spec.program, gateway.keys_dir)
        from routeiq_mcp.upstream.stdio import StdioUpstream

        return StdioUpstream(spec, spec.program, gateway)
    if spec.transport == "openapi":
        from routeiq_mcp.upstream.openapi import open_document

        return open_document(spec, gateway)
    if spec.url is None:
        raise ConfigError(f"mcp_servers.{spec.name} has no url", mend="write the server's address")
    if spec.transport == "sse":
        from routeiq_mcp.upstream.sse import SseUpstream

        return SseUpstream(spec, gateway)
    from routeiq_mcp.upstream.http import HttpUpstream

    return HttpUpstream(spec, gateway)
