"""Whose resource a URI is, in a face of several servers.

URIs stay as servers write them, since texts and digests speak of them. Only where two servers have the same one does
the second get a name of ours; and that form is always understood.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from routeiq_mcp.hub.server import Server
from routeiq_mcp.hub.spec import FaceSpec
from routeiq_mcp.seams import Json

SCHEME = "routeiq-mcp://"
_REMEMBERED = 20_000
_EXPRESSION = re.compile(r"\{[^{}]*\}")


def shown(server: Server, uri: str) -> str:
    """A URI with its server: `routeiq-mcp://SERVER/URI`."""
    return f"{SCHEME}{server.name}/{uri}"


def named(face: FaceSpec, uri: str) -> tuple[Server, str] | None:
    """The server and its own URI, when a URI names its server."""
    if not uri.startswith(SCHEME):
        return None
    name, slash, own = uri[len(SCHEME) :].partition("/")
    server = next((server for server in face.servers if server.name == name), None)
    return (server, own) if server is not None and slash else None


def matches(template: str, uri: str) -> bool:
    """Whether a URI can come of a template (RFC 6570): its literal parts stand in the URI, in order. Wider than the
    RFC, never narrower, and linear in the length of both."""
    first, *rest = _EXPRESSION.split(template)
    if not rest:
        return uri == template
    *between, last = rest
    if not uri.startswith(first) or not uri.endswith(last) or len(uri) < len(first) + len(last):
        return False
    at, end = len(first), len(uri) - len(last)
    for literal in between:
        found = uri.find(literal, at, end)
        if found < 0:
            return False
        at = found + len(literal)
    return True


class Remembered:
    """Which server told a caller of a URI, in results of tools and prompts. Bounded, of this process alone."""

    def __init__(self) -> None:
        self._owners: OrderedDict[tuple[str, str], str] = OrderedDict()

    def note(self, server: Server, caller: str, result: Json) -> None:
        """Remember the URIs in a result."""
        for uri in _uris(result):
            key = (caller, uri)
            self._owners[key] = server.name
            self._owners.move_to_end(key)
        while len(self._owners) > _REMEMBERED:
            self._owners.popitem(last=False)

    def owner(self, face: FaceSpec, uri: str, callers: Mapping[str, str]) -> Server | None:
        """The server of a face that told this caller of a URI; `callers` names the caller as each server sees it."""
        for server in face.servers:
            if self._owners.get((callers[server.name], uri)) == server.name:
                return server
        return None


def _uris(result: Json) -> Iterable[str]:
    blocks: list[Any] = list(result.get("content") or ())
    blocks += [message.get("content") for message in result.get("messages") or () if isinstance(message, Mapping)]
    for block in blocks:
        if not isinstance(block, Mapping):
            continue
        kind = block.get("type")
        found = block.get("resource") if kind == "resource" else block if kind == "resource_link" else None
        uri = found.get("uri") if isinstance(found, Mapping) else None
        if isinstance(uri, str) and len(uri) <= 2048:
            yield uri
