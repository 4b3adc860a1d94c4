"""Agents in other clothes: as models of the chat routes, and as MCP tools."""
