"""The HTTP handlers of the door: which era a request speaks, and who answers it.

What the eras say is in `modern` and `legacy`; what a face answers is behind the seams.
"""

from __future__ import annotations

from routeiq_mcp.door.options import DoorOptions
from routeiq_mcp.seams import Faces
from routeiq_sdk import Gateway
from routeiq_sdk.values.http import HttpRequest, HttpResponse


class DoorAt:
    """The handlers of one path. `server` is the face's name when the path has no `{server}`."""

    def __init__(self, door: Door, server: str | None) -> None:
        self._door = door
        self._server = server

    async def post(self, request: HttpRequest) -> HttpResponse:
        """A message, or a batch of them."""
        raise NotImplementedError

    async def get(self, request: HttpRequest) -> HttpResponse:
        """A legacy client's stream of notifications."""
        raise NotImplementedError

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """The end of a legacy session."""
        raise NotImplementedError


class Door(DoorAt):
    """All faces behind one set of handlers."""

    def __init__(self, faces: Faces, gateway: Gateway, options: DoorOptions) -> None:
        super().__init__(self, None)
        self._faces = faces
        self._gateway = gateway
        self._options = options

    def at(self, server: str) -> DoorAt:
        """Handlers for a path that serves the face `server` alone."""
        return DoorAt(self, server)

    def start(self) -> None:
        """Listen to the other replicas. Call it in `setup`."""

    async def close(self) -> None:
        """End all calls and streams."""
