"""What a face says of itself: what its servers say, put together.

The versions of the protocol that clients may speak are the door's matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from routeiq_mcp.hub.asking import Answers, Missing, ask_all
from routeiq_mcp.hub.looking import Looking
from routeiq_mcp.hub.server import Server
from routeiq_mcp.hub.spec import FaceSpec
from routeiq_mcp.seams import Json, ServerFacts
from routeiq_sdk import Context
from routeiq_sdk.gateway import Clock
from routeiq_sdk.values.delegation import ConsentNeeded

VERSION = "0.1.0"
EXTENSIONS: Mapping[str, tuple[str, ...]] = {
    "io.modelcontextprotocol/skills": ("skills/", "resources/directory/"),
    "io.modelcontextprotocol/tasks": ("tasks/",),
    "io.modelcontextprotocol/ui": (),
}
"""Extensions that a face of several servers can serve, with how their methods begin."""
SKILLS = "io.modelcontextprotocol/skills"
_UNSEEN: Json = {"prompts": {}, "resources": {}}
"""What a server may have that says nothing before its user agreed; lists of what it does not have are empty."""
_KEPT_SECONDS = 60.0
_LONGEST = 16_000


class Facts:
    """Asks servers what they are, and puts the answers together."""

    def __init__(self, clock: Clock, looking: Looking) -> None:
        self._clock = clock
        self._looking = looking

    async def of(self, ctx: Context, face: FaceSpec) -> ServerFacts:
        """What the face is. Raises what the server raises when it is one alone, but never for want of consent: only a
        client that is connected can be asked."""
        try:
            answers = await ask_all(face, self._clock, lambda server: self.of_server(ctx, server))
        except ConsentNeeded as error:
            answers = Answers((), (Missing(face.servers[0].name, str(error), error),))
        agreed = not any(missing.needed for missing in answers.missing)
        if face.alone and agreed:
            server, facts = answers.found[0]
            capabilities = _without(facts.capabilities, face)
            return ServerFacts(
                {**capabilities, "tools": {**(capabilities.get("tools") or {}), "listChanged": True}}
                if "tools" in capabilities
                else capabilities,
                {"name": server.name, "version": VERSION, **facts.info},  # legacy clients insist on both
                await self._told(ctx, server, facts),
                facts.era,
                facts.versions,
            )
        unseen = [] if agreed else [_UNSEEN]
        capabilities = _without(_merged([*(facts.capabilities for _, facts in answers.found), *unseen]), face)
        info = {"name": f"routeiq-{face.name}", "version": VERSION, "title": face.description or face.name}
        told = [(server, await self._told(ctx, server, facts)) for server, facts in answers.found]
        return ServerFacts(capabilities, info, _instructions(told))

    async def _told(self, ctx: Context, server: Server, facts: ServerFacts) -> str | None:
        """The instructions: the operator's as they are, else the server's as guards let them pass."""
        return server.instructions or await self._looking.instructions(ctx, server, facts.instructions)

    async def asked(self, ctx: Context, server: Server) -> ServerFacts:
        """What one server says now."""
        return await self._looking.facts(ctx, server)

    async def of_server(self, ctx: Context, server: Server) -> ServerFacts:
        """What one server is. Kept for a while, unless it may tell each caller something else."""
        if server.known_facts is not None and not server.per_caller and self._clock.monotonic() < server.facts_until:
            return server.known_facts
        facts = await self.asked(ctx, server)
        server.known_facts = facts
        server.facts_until = self._clock.monotonic() + _KEPT_SECONDS
        return facts


def extension_of(method: str) -> str | None:
    """The extension whose method this is."""
    return next((name for name, begins in EXTENSIONS.items() if method.startswith(begins) and begins), None)


def _merged(all_capabilities: Sequence[Json]) -> dict[str, Any]:
    """What any of the servers can do. `tools` always: a server that is away now may be back soon."""
    merged: dict[str, Any] = {"tools": {"listChanged": True}}
    for capabilities in all_capabilities:
        for name in ("prompts", "resources", "completions", "logging"):
            told = capabilities.get(name)
            if isinstance(told, Mapping):
                merged[name] = {**merged.get(name, {}), **{key: True for key, value in told.items() if value is True}}
    extensions: dict[str, list[Any]] = {}
    for capabilities in all_capabilities:
        told = capabilities.get("extensions")
        for name, settings in told.items() if isinstance(told, Mapping) else ():
            extensions.setdefault(name, []).append(settings)
    served = {name: settings[0] for name, settings in extensions.items() if len(settings) == 1 and name in EXTENSIONS}
    if SKILLS in extensions:  # the one extension that is put together of several servers
        folders = any(isinstance(told, Mapping) and told.get("directoryRead") is True for told in extensions[SKILLS])
        served[SKILLS] = {"directoryRead": True} if folders else {}
    if served:
        merged["extensions"] = served
    return merged


def _without(capabilities: Json, face: FaceSpec) -> dict[str, Any]:
    hidden = {name for name, shown in (("resources", face.resources), ("prompts", face.prompts)) if not shown}
    kept = {name: value for name, value in capabilities.items() if name not in hidden}
    extensions = kept.get("extensions")
    if "resources" in hidden and isinstance(extensions, Mapping) and SKILLS in extensions:
        kept["extensions"] = {name: value for name, value in extensions.items() if name != SKILLS}
    return kept


def _instructions(found: Sequence[tuple[Server, str | None]]) -> str | None:
    told = [f"# {server.prefix}\n{text}" for server, text in found if text]
    return "\n\n".join(told)[:_LONGEST] or None
