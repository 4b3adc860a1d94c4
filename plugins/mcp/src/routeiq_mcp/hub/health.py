"""How the servers are doing: one sentence for the page of health, and a look at one of them.

What was seen is told; readiness probes ask no server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from routeiq_mcp.hub.catalog import QUARANTINED
from routeiq_mcp.hub.server import Server, reason_of
from routeiq_mcp.seams import McpError
from routeiq_sdk import Context, RouteIQError
from routeiq_sdk.values.delegation import ConsentNeeded
from routeiq_sdk.values.health import Health

if TYPE_CHECKING:
    from routeiq_mcp.hub.hub import Hub

_NAMED = 5


def health_of(hub: Hub) -> Health:
    """What is wrong, by the servers' names. A server that is away degrades the gateway, and never more."""
    servers = hub.registry.servers.values()
    told = [
        _sentence("away", [server.name for server in servers if server.trouble is not None]),
        _sentence("added and not served", list(hub.faults)),
        _sentence("with tools in quarantine", [s.name for s in servers if QUARANTINED in s.left_out.values()]),
        _sentence("with skills in quarantine", [s.name for s in servers if QUARANTINED in s.skills_left_out.values()]),
        _sentence("with tools that cannot be offered", [s.name for s in servers if _faulty(s)]),
    ]
    reasons = [sentence for sentence in told if sentence]
    return Health("degraded", "; ".join(reasons)) if reasons else Health()


async def look_at(hub: Hub, ctx: Context, server: Server) -> str | None:
    """Ask a server what it is, as the caller of `ctx`; why that failed, `None` when it did not."""
    now = hub.gateway.clock.now_ns
    try:
        server.known_facts = await hub.parts.facts.asked(ctx, server)
    except ConsentNeeded as error:
        return reason_of(error)
    except (McpError, RouteIQError, OSError, TimeoutError) as error:
        server.note(error, now())
        return reason_of(error)
    server.note(None, now())
    return None


def _faulty(server: Server) -> bool:
    return any(reason != QUARANTINED for reason in server.left_out.values())


def _sentence(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"MCP servers {what}: {', '.join(names[:_NAMED])}{more}"
