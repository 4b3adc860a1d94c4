"""Whether a file that a server sends is the one that its skill's manifest names, byte for byte, and whether a SKILL.md
says what the skill's entry says.

The entry comes from the same server: this finds what is torn, stale or served differently to different callers, and
makes no server trustworthy.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any

from routeiq_mcp.hub.facts import Facts
from routeiq_mcp.hub.frontmatter import says
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


def is_below(entry: Json, uri: str) -> bool:
    """Whether a URI is within a skill that does not tell its files."""
    own = entry.get("uri")
    if not isinstance(own, str) or isinstance(entry.get("resources"), list | tuple):
        return False
    return uri == own or (own.endswith("/SKILL.md") and uri.startswith(own.removesuffix("SKILL.md")))


async def check_file(ctx: Context, server: Server, uri: str, result: Json, facts: Facts) -> None:
    """Compare a file that was read with the entry that the caller was given, and if they differ with the newest.

    A gateway that has listed nothing for this caller asks for the list first, so that any replica refuses the same.
    Raises `McpError` when the file is not what the server itself says it is.
    """
    if server.source == "gateway":
        return
    known = server.lists.peek(LIST, server.caller(ctx))
    if known is None:
        if server.known_facts is None:
            await facts.of_server(ctx, server)
        if not may_have_skills(server):
            return
        known = await server.lists.get(ctx, LIST, server.caller(ctx))
    if _fits(known.entries, uri, result):
        return
    server.lists.drop(LIST)
    fresh = await server.lists.get(ctx, LIST, server.caller(ctx))
    if not _fits(fresh.entries, uri, result):
        raise McpError(
            _INTERNAL,
            f"server {server.name} sent a file that is not what its skill's manifest and frontmatter say",
            {"uri": uri},
        )


def _fits(entries: tuple[Json, ...], uri: str, result: Json) -> bool:
    """Whether a file has the size and digest that one of the manifests names (a nested skill's stands in two), and
    says of its skill what the skill's entry says."""
    files = [file for entry in entries if (file := files_of(entry).get(uri)) is not None]
    heads = [entry["frontmatter"] for entry in entries if entry.get("uri") == uri and "frontmatter" in entry]
    if not files and not heads:
        return True
    data = _data(result, uri)
    if data is None or (files and (f"sha256:{hashlib.sha256(data).hexdigest()}", len(data)) not in files):
        return False
    return all(isinstance(head, Mapping) and says(data, head) for head in heads)


def _data(result: Json, uri: str) -> bytes | None:
    """What was read."""
    contents = result.get("contents")
    for part in contents if isinstance(contents, list | tuple) else ():
        if isinstance(part, Mapping) and part.get("uri") == uri and (data := _bytes(part)) is not None:
            return data
    return None


def _bytes(part: Mapping[str, Any]) -> bytes | None:
    text, blob = part.get("text"), part.get("blob")
    try:
        if isinstance(text, str):
            return text.encode()
        return base64.b64decode(blob, validate=True) if isinstance(blob, str) else None
    except (UnicodeEncodeError, binascii.Error, ValueError):
        return None
