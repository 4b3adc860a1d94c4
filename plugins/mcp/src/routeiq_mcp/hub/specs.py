"""From a row to a server: how its upstream is opened, and what the hub keeps of it.

Where rows come from is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from routeiq_mcp.config import McpConfig
from routeiq_mcp.hub.lists import Keeping, Lists
from routeiq_mcp.hub.policy import Policy
from routeiq_mcp.hub.server import Server, Source
from routeiq_mcp.rows import ServerRow
from routeiq_mcp.seams import Upstream
from routeiq_sdk import Gateway
from routeiq_sdk.values.tools import ToolServer

if TYPE_CHECKING:
    from routeiq_mcp.upstream import ServerSpec

Opening = Callable[["ServerSpec", Gateway], Upstream]
_SECONDS = 60.0
_LONGEST = 600.0


def transport_of(row: ServerRow) -> Literal["http", "sse", "stdio", "openapi"]:
    """How a row's server is spoken to."""
    if row.spec_path is not None:
        return "openapi"
    if row.command is not None:
        return "stdio"
    if row.transport is not None:
        return row.transport
    return "sse" if urlsplit(row.url or "").path.rstrip("/").endswith("/sse") else "http"


def spec_of(name: str, row: ServerRow, *, trusted: bool, alias: str | None = None) -> ServerSpec:
    """How a row's server is opened. Raises `ValueError`."""
    from routeiq_mcp.upstream import ServerSpec
    from routeiq_mcp.upstream.signed import program_of

    transport = transport_of(row)
    document, url, base = None, row.url, None
    if row.spec_path is not None:
        base = row.url
        remote = row.spec_path.startswith(("http://", "https://"))
        document, url = (None, row.spec_path) if remote else (Path(row.spec_path), None)
    seconds = row.timeout or _SECONDS
    return ServerSpec(
        name,
        transport,
        url=url,
        program=program_of(row.model_dump()) if transport == "stdio" else None,
        document=document,
        base_url=base,
        auth=row.outbound,
        headers=row.static_headers,
        forward_headers=forwarded_by(name, row, alias),
        trusted=trusted,
        protocol_version=row.protocol_version or row.spec_version,
        timeout_seconds=seconds,
        most_seconds=max(seconds, _LONGEST),
        title=row.description or "",
    )


def server_of(
    name: str,
    row: ServerRow,
    upstream: Upstream,
    config: McpConfig,
    gateway: Gateway,
    *,
    source: Source,
    id: str,
    alias: str | None,
) -> Server:
    """The server of a row, over its opened upstream."""
    auth = row.outbound
    passed = forwarded_by(name, row, alias)
    per_caller = auth.per_user or auth.mode == "passthrough" or bool(passed)
    prefix = alias or name
    forwarded = (*passed, *((auth.header,) if auth.header is not None else ()))
    return Server(
        name=name,
        id=id,
        prefix=prefix,
        upstream=upstream,
        policy=Policy.of(row, prefix),
        lists=_lists(upstream, config, gateway, row.list_seconds, per_caller=per_caller),
        source=source,
        groups=frozenset(row.access_groups),
        auth_mode=auth.mode,
        per_caller=per_caller,
        forwarded=forwarded,
        instructions=row.instructions,
        about=about(row, alias),
    )


def forwarded_by(name: str, row: ServerRow, alias: str | None) -> Mapping[str, str]:
    """Headers of the client that go upstream, and what they are called there. The client's own word for one server
    (LiteLLM's `x-mcp-SERVER-HEADER`) counts more than a header for all."""
    found = {header.lower(): header.lower() for header in row.extra_headers}
    for server in dict.fromkeys((name, row.alias or name, alias or name)):
        found |= {f"x-mcp-{server}-{header}".lower(): header.lower() for header in row.client_headers}
    return found


def inside_server(tool_server: ToolServer, upstream: Upstream, config: McpConfig, gateway: Gateway) -> Server:
    """The server of a plugin of this gateway."""
    name = tool_server.name
    return Server(
        name=name,
        id=name,
        prefix=name,
        upstream=upstream,
        policy=Policy(name),
        lists=_lists(upstream, config, gateway, None, per_caller=True),
        source="gateway",
        per_caller=True,
        about={"description": "a server inside the gateway", "transport": "inside"},
    )


def about(row: ServerRow, alias: str | None) -> Mapping[str, Any]:
    """What may be told of a row: no credential, no header's value, and of a URL nothing that could be one."""
    parts = urlsplit(row.url or "")
    host = parts.netloc.rpartition("@")[2]
    return {
        "alias": alias,
        "description": row.description,
        "url": f"{parts.scheme}://{host}{parts.path}" if row.url else None,
        "spec_path": row.spec_path,
        "transport": transport_of(row),
        "auth_type": row.auth_type or row.outbound.mode,
        "mcp_info": dict(row.mcp_info),
        "mcp_access_groups": list(row.access_groups),
        "allowed_tools": list(row.allowed_tools or ()),
        "disallowed_tools": list(row.disallowed_tools),
        "extra_headers": list(row.extra_headers),
        "client_headers": list(row.client_headers),
        "static_headers": sorted(row.static_headers),
        "instructions": row.instructions,
        "timeout": row.timeout,
        "rpm": row.rpm,
        "max_concurrent_requests": row.max_concurrent_requests,
    }


def _lists(
    upstream: Upstream, config: McpConfig, gateway: Gateway, list_seconds: float | None, *, per_caller: bool
) -> Lists:
    keeping = Keeping(
        list_seconds=list_seconds,
        default_seconds=config.list_seconds,
        shared=not per_caller,
        most_entries=config.most_entries,
        private_lists=config.private_lists,
    )
    return Lists(upstream, gateway.clock, keeping, lambda: gateway.tools)
