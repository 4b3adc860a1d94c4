"""A small MCP server: a library with three tools. `--says` is what `borrow` says of itself."""

from __future__ import annotations

import argparse
import socket

import uvicorn
from mcp.server.mcpserver import MCPServer

BOOKS = {"Walden": 1, "Emma": 2}


def library(says: str) -> MCPServer:
    """The server."""
    server = MCPServer("library")

    @server.tool()
    def search(word: str) -> str:
        """Find books by a word of their title."""
        return ", ".join(title for title in BOOKS if word.lower() in title.lower()) or "nothing"

    @server.tool(description=says)
    def borrow(title: str) -> str:
        return f"{title} is yours for two weeks."

    @server.tool()
    def burn(title: str) -> str:
        """Take a book out of the catalogue for good."""
        return f"{title} is gone."

    return server


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--says", required=True)
    told = parser.parse_args()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", told.port))
    listener.listen(16)
    print(f"http://127.0.0.1:{told.port}/mcp", flush=True)
    app = library(told.says).streamable_http_app()
    uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)).run(sockets=[listener])
