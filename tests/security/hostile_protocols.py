"""The ways by which an address comes to the egress through MCP, A2A and OAuth: written by a request, or named by a
document of somebody's.

Who is called there, and who counts, is in `hostile`.
"""

from __future__ import annotations

from typing import Any, Protocol
from urllib.parse import urlsplit

from routeiq_sdk import RouteIQError
from routeiq_sdk.testing import FakeGateway, make_context
from routeiq_sdk.values.delegation import Delegate, OutboundAuth

UPSTREAM = "https://upstream.example/mcp"
"""An upstream of the operator's own, whose documents name other places."""


class Calling(Protocol):
    """What these ways need of a place: a handle whose egress really calls."""

    gateway: FakeGateway


def _secured(url: str) -> str:
    """For ways that take https alone: the address must be refused for where it leads, not for its scheme."""
    url = f"https{url[4:]}" if url.startswith("http:") else url
    try:
        return url if urlsplit(url).path not in ("", "/") else f"{url.rstrip('/')}/client.json"
    except ValueError:
        return url


async def _server(at: Calling, url: str, **spec: Any) -> None:
    from routeiq_mcp.hub.lists import SILENT
    from routeiq_mcp.upstream import ServerSpec, open_upstream

    upstream = open_upstream(ServerSpec("added", url=url, trusted=False, **spec), at.gateway)
    try:
        await upstream.request(make_context(), "tools/list", {}, SILENT)
    finally:
        await upstream.close()


async def mcp_server(at: Calling, url: str) -> None:
    """An MCP server that the admin API added."""
    await _server(at, url, protocol_version="2026-07-28")


async def mcp_server_of_2025(at: Calling, url: str) -> None:
    await _server(at, url, protocol_version="2025-11-25")


async def mcp_events(at: Calling, url: str) -> None:
    await _server(at, url, transport="sse")


async def openapi_document(at: Calling, url: str) -> None:
    """The document that describes an API whose operations are tools."""
    await _server(at, url, transport="openapi")


async def openapi_operation(at: Calling, url: str) -> None:
    """A call of an API whose address stands in its row."""
    from routeiq_mcp.hub.lists import SILENT
    from routeiq_mcp.upstream import ServerSpec
    from routeiq_mcp.upstream.openapi.document import read
    from routeiq_mcp.upstream.openapi.server import OpenApiUpstream, _Api

    document = b'{"openapi":"3.1.0","info":{"title":"a","version":"1"},"paths":{"/x":{"get":{"operationId":"x"}}}}'
    spec = ServerSpec("added", transport="openapi", url="https://api.example/o.json", base_url=url, trusted=False)
    upstream = OpenApiUpstream(spec, at.gateway, _Api(spec, read(document)))
    await upstream.request(make_context(), "tools/call", {"name": "x", "arguments": {}}, SILENT)


async def agent_card(at: Calling, url: str) -> None:
    """The card of an agent that the admin API added."""
    from routeiq_a2a.cards.fetching import fetch
    from routeiq_a2a.registry.agent import Agent

    await fetch(at.gateway, Agent("a", "added", card_url=url, untrusted=True), None)


async def agent(at: Calling, url: str) -> None:
    """The interface of such an agent."""
    from routeiq_a2a.upstream.egress_client import EgressClient

    client = EgressClient(at.gateway.egress, timeout=5, most_bytes=1000, untrusted=True)
    await client.send(client.build_request("POST", url, json={}))


async def push_webhook(at: Calling, url: str) -> None:
    """A webhook that a client named for its task, and that was kept."""
    from routeiq_a2a.config import PushSettings
    from routeiq_a2a.push.delivery import Deliveries, _Delivery
    from routeiq_a2a.push.hooks import Hook

    queue = Deliveries(at.gateway, None, None, PushSettings())  # type: ignore[arg-type]
    hook = Hook("h", "a", "o", "1.0", {"url": url}, "")
    if not await queue._delivered(hook, _Delivery("h/1", "h", "{}", 0, 0)):
        raise RouteIQError("not delivered")


def _named_by_a_document() -> Any:
    """What a call may reach when an upstream of the operator's named the address."""
    from routeiq_oauth.delegation.outside import Reach

    return Reach.of(Delegate("mcp:own", UPSTREAM, OutboundAuth(mode="authorization_code"), "own", False))


async def resource_metadata(at: Calling, url: str) -> None:
    """Metadata of a protected resource, or of an authorization server: whatever a challenge or a document names."""
    from routeiq_oauth.delegation.outside import Outside

    await Outside(at.gateway, 5.0).get(_secured(url), _named_by_a_document())


async def token_endpoint(at: Calling, url: str) -> None:
    """A token endpoint out of such metadata: it would be sent the gateway's secret and a person's code."""
    from routeiq_oauth.delegation.outside import Outside

    await Outside(at.gateway, 5.0).post_form(_secured(url), {"code": "c"}, _named_by_a_document())


async def registration_endpoint(at: Calling, url: str) -> None:
    from routeiq_oauth.delegation.outside import Outside

    await Outside(at.gateway, 5.0).post_json(_secured(url), {}, _named_by_a_document())


async def client_document(at: Calling, url: str) -> None:
    """A client's metadata document, whose address is the client's id."""
    from routeiq_oauth.server.cimd import Documents

    await Documents(at.gateway).metadata(_secured(url))


async def issuers_keys(at: Calling, url: str) -> None:
    """The keys of an issuer of inbound tokens, where its document says that they are."""
    from routeiq_oauth.fetching import fetch_json

    await fetch_json(at.gateway, url, written=("https://issuer.example",))


WAYS = {
    "MCP server of the admin API": mcp_server,
    "MCP server of the admin API, before 2026": mcp_server_of_2025,
    "MCP server of the admin API, event stream": mcp_events,
    "OpenAPI document": openapi_document,
    "operation of an OpenAPI document": openapi_operation,
    "card of an agent": agent_card,
    "agent": agent,
    "push webhook": push_webhook,
    "metadata of a resource or an authorization server": resource_metadata,
    "token endpoint out of metadata": token_endpoint,
    "registration endpoint out of metadata": registration_endpoint,
    "client metadata document": client_document,
    "keys of an issuer of inbound tokens": issuers_keys,
}
