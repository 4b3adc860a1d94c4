"""What one face is made of: which servers, under which names, and what of them.

What a caller may use of it is asked once a request, elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from routeiq_mcp.hub.policy import SEPARATOR
from routeiq_mcp.hub.server import Server

EVERYTHING = "mcp"


@dataclass(frozen=True, eq=False, slots=True)
class FaceSpec:
    """A face. `alone` says that it is one server as it is; `virtual` that the operator named it; `public` that it asks
    nobody who they are."""

    name: str
    servers: tuple[Server, ...]
    prefixed: bool = True
    globs: tuple[str, ...] = ("*",)
    resources: bool = True
    prompts: bool = True
    virtual: bool = False
    public: bool = False
    description: str | None = None

    @property
    def alone(self) -> bool:
        """Whether there is one server and its names are its own."""
        return len(self.servers) == 1 and not self.prefixed

    def prefix_of(self, server: Server) -> str:
        """What stands in front of the server's names."""
        return f"{server.prefix}{SEPARATOR}" if self.prefixed else ""

    def takes(self, server: Server, tool: str) -> bool:
        """Whether a tool of a server is among those of the face."""
        if self.globs == ("*",):
            return True
        full = f"{server.prefix}{SEPARATOR}{tool}"
        return any(fnmatchcase(tool, glob) or fnmatchcase(full, glob) for glob in self.globs)
