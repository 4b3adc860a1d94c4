"""Whether a file that a server sends is the one that its skill's manifest names, byte for byte.

The manifest comes from the same server: this finds what is torn, stale or served differently to different callers, and
makes no server trustworthy.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any

from routeiq_mcp.hub.server import Server
from routeiq_mcp.seams import Json, McpError
from routeiq_sdk import Context

LIST = "skills/list"
EXTENSION = "io.modelcontextprotocol/skills"
_INTERNAL = -32603


def may_have_skills(server: Server) -> bool:
    """Whether a server has the extension, as far as it is known."""
    facts = server.known_facts
    extensions = facts.capabilities.get("extensions") if facts is not None else {EXTENSION: {}}
    return isinstance(extensions, Mapping) and EXTENSION in extensions


def files_of(entry: Json) -> dict[str, tuple[str, int]]:
    """Digest and size of each file of a skill, by its URI; nothing for a dynamic one."""
    files = entry.get("resources")
    found: dict[str, tuple[str, int]] = {}
    for file in files if isinstance(files, list | tuple) else ():
        if isinstance(file, Mapping) and isinstance(file.get("uri"), str):
            found[file["uri"]] = (str(file.get("digest")), file["size"] if isinstance(file.get("size"), int) else -1)
    return found


async def check_file(ctx: Context, server: Server, uri: str, result: Json) -> None:
    """Compare a file that was read with the manifest that the caller was given, and if they differ with the newest.

    Raises `McpError` when the file is not what the server itself says it is.
    """
    known = server.lists.peek(LIST, server.caller(ctx))
    if server.source == "gateway" or known is None:
        return
    told = _of(known.entries, uri)
    if not told or _held(result, uri) in told:
        return
    server.lists.drop(LIST)
    fresh = await server.lists.get(ctx, LIST, server.caller(ctx))
    told = _of(fresh.entries, uri)
    if told and _held(result, uri) not in told:
        raise McpError(
            _INTERNAL, f"server {server.name} sent a file that is not the one its skill's manifest names", {"uri": uri}
        )


def _of(entries: tuple[Json, ...], uri: str) -> list[tuple[str, int]]:
    """What the manifests say of a file; a nested skill's stands in two."""
    return [file for entry in entries if (file := files_of(entry).get(uri)) is not None]


def _held(result: Json, uri: str) -> tuple[str, int] | None:
    """Digest and size of what was read."""
    contents = result.get("contents")
    for part in contents if isinstance(contents, list | tuple) else ():
        if not isinstance(part, Mapping) or part.get("uri") != uri:
            continue
        data = _bytes(part)
        if data is not None:
            return f"sha256:{hashlib.sha256(data).hexdigest()}", len(data)
    return None


def _bytes(part: Mapping[str, Any]) -> bytes | None:
    text, blob = part.get("text"), part.get("blob")
    try:
        if isinstance(text, str):
            return text.encode()
        return base64.b64decode(blob, validate=True) if isinstance(blob, str) else None
    except (UnicodeEncodeError, binascii.Error, ValueError):
        return None
