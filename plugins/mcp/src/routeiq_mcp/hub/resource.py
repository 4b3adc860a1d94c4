"""The faces as OAuth resources: each path that asks who calls is one of its own.

Metadata and tokens belong to the plugin that serves OAuth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from routeiq_mcp.hub.spec import EVERYTHING
from routeiq_sdk.values.delegation import ProtectedResource

if TYPE_CHECKING:
    from routeiq_mcp.hub.hub import Hub

_END = "/mcp"


def resource_at(hub: Hub, path: str) -> ProtectedResource | None:
    """The resource at a path; `None` for a path of nobody's, and for a face that is open to anybody."""
    if path == _END:
        return ProtectedResource(path, EVERYTHING)
    if not path.endswith(_END) or path.count("/") != 2:
        return None
    name = path[1 : -len(_END)]
    face = hub.faces.named(name)
    if face is None or face.public:
        return None
    virtual = hub.config.virtual_servers.get(name)
    return ProtectedResource(path, face.name, scopes=virtual.scopes if virtual is not None else ())
