"""The handshake of the legacy era, on whatever transport: what `initialize` says and what its answer means.

Who sends it is the transports' business.
"""

from __future__ import annotations

from typing import Any

from routeiq_mcp.seams import Json, Peer, ServerFacts
from routeiq_mcp.upstream import failures
from routeiq_mcp.upstream.words import client_of
from routeiq_mcp.wire import versions

_CAPABILITIES = ("roots", "sampling", "elicitation", "experimental")


def initialize_params(version: str, peer: Peer | None) -> dict[str, Any]:
    """What a client says of itself. Changes of its roots are not told on, so that is not promised."""
    info, told = client_of(peer)
    capabilities = {name: told[name] for name in _CAPABILITIES if isinstance(told.get(name), dict)}
    if "roots" in capabilities:
        capabilities["roots"] = {k: v for k, v in capabilities["roots"].items() if k != "listChanged"}
    return {"protocolVersion": version, "capabilities": capabilities, "clientInfo": dict(info)}


def initialized(result: Json, server: str) -> ServerFacts:
    """What the server says of itself; its version is the only one of `versions`. Raises `Failure`."""
    version = result.get("protocolVersion")
    if not isinstance(version, str):
        raise failures.not_the_protocol(server, "its handshake names no version")
    if version not in versions.LEGACY:
        raise failures.no_version(server)
    capabilities, info = result.get("capabilities"), result.get("serverInfo")
    instructions = result.get("instructions")
    return ServerFacts(
        {k: v for k, v in capabilities.items() if k != "tasks"} if isinstance(capabilities, dict) else {},
        info if isinstance(info, dict) else {},
        instructions if isinstance(instructions, str) else None,
        "legacy",
        (version,),
    )
