"""Words of MCP's wire that both sides of the gateway use: messages, codes, keys, versions, frames, headers.

Nobody opens a connection or answers a request here.
"""
