"""The door: MCP over HTTP towards clients, both eras on one path, and the bridge between the eras.

Which servers there are, who may use them and how they are reached is behind `seams.Faces`.

The plugin makes one door and registers its handlers; the path decides which face is meant (`/mcp`: everything):

    door = Door(faces, gateway, DoorOptions(keys=(key,)))
    door.start()                                    # in `setup`: listens to the other replicas
    for path, access in (("/mcp", "key"), ("/{server}/mcp", "key")):
        routes.add("POST", path, door.post, access=access, action="mcp:call", summary="MCP messages")
        routes.add("GET", path, door.get, access=access, action="mcp:call", summary="MCP notifications")
        routes.add("DELETE", path, door.delete, access=access, action="mcp:call", summary="End an MCP session")
    routes.add("POST", "/open/mcp", door.at("open").post, access="loopback", summary="a face at a fixed path")
    await door.close()                              # in `teardown`

`keys` are at least 32 bytes each and the same in all replicas. A path without `{server}` that is not `/mcp` is served
by `door.at(name)`, which has the same three handlers.
"""

from __future__ import annotations

from routeiq_mcp.door.endpoint import Door, DoorAt
from routeiq_mcp.door.options import DoorOptions

__all__ = ["Door", "DoorAt", "DoorOptions"]
