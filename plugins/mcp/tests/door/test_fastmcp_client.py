"""fastmcp's client, unmodified, reaches servers of both eras through the door."""

from __future__ import annotations

from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from mcp_types import ElicitResult

from .scripted import serving
from .test_bridge import face


@pytest.mark.parametrize("replicas", [1, 2])
async def test_fastmcps_client_is_asked_by_servers_of_both_eras(replicas: int) -> None:
    async def answered(message: str, response_type: Any, params: Any, context: Any) -> Any:
        return ElicitResult(action="accept", content={"name": "Ada"})

    async with serving(face(), replicas=replicas) as world:
        transport = StreamableHttpTransport(f"{world.url}/mcp")
        async with Client(transport, elicitation_handler=answered, roots=["file:///a"]) as client:
            for tool in ("old", "new"):
                result = await client.call_tool(tool, {})
                assert result.content[0].text == "Ada 1"
