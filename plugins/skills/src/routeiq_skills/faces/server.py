"""Skills over MCP (the extension `io.modelcontextprotocol/skills`, SEP-2640), as a server inside the gateway.

Wires, sessions and permissions belong to the MCP plugin.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from routeiq_sdk import Context
from routeiq_sdk.values.tools import ToolServerError
from routeiq_skills.faces.uris import place_of, uri_of
from routeiq_skills.store.limits import SKILL_MD
from routeiq_skills.store.skill import File, Skill
from routeiq_skills.store.snapshot import Snapshot

EXTENSION = "io.modelcontextprotocol/skills"
FOLDER = "inode/directory"
_INVALID, _UNKNOWN_METHOD = -32602, -32601
_PAGE = 100

Json = dict[str, Any]


class SkillServer:
    """The skills of the snapshot as resources with complete manifests."""

    def __init__(self, name: str, snapshot: Callable[[], Snapshot], *, public: bool, seconds: float) -> None:
        self._name = name
        self._snapshot = snapshot
        self._caching: Json = {"ttlMs": int(seconds * 1000), "cacheScope": "public" if public else "private"}
        self._methods: Mapping[str, Callable[[Mapping[str, Any]], Json]] = {
            "skills/list": self._list_skills,
            "skills/get": self._get_skill,
            "resources/list": self._list_resources,
            "resources/templates/list": self._list_templates,
            "resources/read": self._read,
            "resources/directory/read": self._read_folder,
        }

    @property
    def name(self) -> str:
        """Its name among the servers."""
        return self._name

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """Resources, and the extension."""
        return {"resources": {}, "extensions": {EXTENSION: {"directoryRead": True}}}

    async def handle(self, ctx: Context, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer a request."""
        answer = self._methods.get(method)
        if answer is None:
            raise ToolServerError(_UNKNOWN_METHOD, f"Method not found: {method}")
        return {"resultType": "complete", **answer(params)}

    def _list_skills(self, params: Mapping[str, Any]) -> Json:
        names, following = _page(list(self._snapshot().skills), params)
        skills = self._snapshot().skills
        entries = [entry_of(skills[name]) for name in names if name in skills]
        return {"skills": entries, **following, **self._caching}

    def _get_skill(self, params: Mapping[str, Any]) -> Json:
        uri, skill, path = self._place(params)
        if skill is None or path != SKILL_MD:
            raise ToolServerError(_INVALID, f"No skill is served at {uri[:256]}", {"uri": uri})
        return {"skill": entry_of(skill), **self._caching}

    def _list_resources(self, params: Mapping[str, Any]) -> Json:
        files = {
            uri_of(skill.name, path): (skill, file)
            for skill in self._snapshot().skills.values()
            for path, file in skill.files.items()
        }
        uris, following = _page(list(files), params)
        return {"resources": [resource_of(*files[uri]) for uri in uris], **following, **self._caching}

    def _list_templates(self, params: Mapping[str, Any]) -> Json:
        return {"resourceTemplates": [], **self._caching}

    def _read(self, params: Mapping[str, Any]) -> Json:
        uri, skill, path = self._place(params)
        file = skill.files.get(path) if skill is not None else None
        if file is None:
            raise ToolServerError(_INVALID, "Resource not found", {"uri": uri})
        held = {"text": file.text} if file.text is not None else {"blob": base64.b64encode(file.data).decode()}
        return {"contents": [{"uri": uri, "mimeType": file.media_type, **held}], **self._caching}

    def _read_folder(self, params: Mapping[str, Any]) -> Json:
        uri, skill, path = self._place(params)
        children = _children(skill, path) if skill is not None else []
        if not children:
            raise ToolServerError(_INVALID, f"{uri[:256]} is not a directory resource", {"uri": uri})
        found = {child["uri"]: child for child in children}
        uris, following = _page(list(found), params)
        return {"resources": [found[each] for each in uris], **following}

    def _place(self, params: Mapping[str, Any]) -> tuple[str, Skill | None, str]:
        uri = params.get("uri")
        if not isinstance(uri, str):
            raise ToolServerError(_INVALID, "the uri is missing")
        place = place_of(uri)
        if place is None:
            return uri, None, ""
        return uri, self._snapshot().skills.get(place[0]), place[1]


def entry_of(skill: Skill) -> Json:
    """A skill's entry: its head as it was written, and a complete manifest."""
    files = [
        {"uri": uri_of(skill.name, file.path), "digest": file.digest, "size": file.size}
        for file in skill.files.values()
    ]
    return {"uri": uri_of(skill.name, SKILL_MD), "frontmatter": dict(skill.frontmatter), "resources": files}


def resource_of(skill: Skill, file: File) -> Json:
    """A file as an MCP `Resource`."""
    told: Json = {"uri": uri_of(skill.name, file.path), "mimeType": file.media_type, "size": file.size}
    if file.path == SKILL_MD:
        return {**told, "name": skill.name, "description": skill.description}
    return {**told, "name": file.path.rpartition("/")[2]}


def _children(skill: Skill, folder: str) -> Sequence[Json]:
    prefix = f"{folder}/" if folder else ""
    children: dict[str, Json] = {}
    for path, file in skill.files.items():
        if not path.startswith(prefix):
            continue
        name, slash, _ = path[len(prefix) :].partition("/")
        if slash:
            children.setdefault(name, {"uri": uri_of(skill.name, f"{prefix}{name}"), "name": name, "mimeType": FOLDER})
        else:
            children[name] = resource_of(skill, file)
    return [children[name] for name in sorted(children)]


def _page(keys: Sequence[str], params: Mapping[str, Any]) -> tuple[Sequence[str], Json]:
    """The keys of a page, in their order, and the cursor of the next one: the last key, which may be gone by then."""
    ordered = sorted(keys)
    cursor = params.get("cursor")
    if cursor is not None:
        if not isinstance(cursor, str):
            raise ToolServerError(_INVALID, "the cursor is not one of this server's")
        ordered = [key for key in ordered if key > cursor]
    page = ordered[:_PAGE]
    return page, {"nextCursor": page[-1]} if len(ordered) > _PAGE else {}
