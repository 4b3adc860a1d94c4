"""A client that does what a few of the conformance suite's client scenarios ask for, to prove the suite's runner.

The gateway's own runs use the gateway as their client, never this one.
"""

from __future__ import annotations

import asyncio
import os
import sys

from mcp import Client


async def _main(url: str) -> None:
    era = "legacy" if os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", "") < "2026" else "auto"
    async with Client(url, mode=era) as client:
        await client.list_tools()
        if os.environ["MCP_CONFORMANCE_SCENARIO"] == "tools_call":
            await client.call_tool("add_numbers", {"a": 5, "b": 3})


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[-1]))
