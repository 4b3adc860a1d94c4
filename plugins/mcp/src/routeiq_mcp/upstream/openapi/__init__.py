"""An OpenAPI document as a server: each operation is a tool.

The document is read in `document`, tools are made of it in `operations`, calls in `calls`.
"""

from routeiq_mcp.upstream.openapi.server import OpenApiUpstream, open_document

__all__ = ["OpenApiUpstream", "open_document"]
