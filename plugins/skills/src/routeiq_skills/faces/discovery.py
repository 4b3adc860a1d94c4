"""Agent Skills Discovery over HTTP: drafts 0.2.0 (`/.well-known/agent-skills/`) and 0.1 (`/.well-known/skills/`).

A path is looked up among those of the snapshot; it never reaches a file system.
"""

from __future__ import annotations

from collections.abc import Callable

import orjson

from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes
from routeiq_skills.faces.answers import answer, not_found
from routeiq_skills.store.limits import SKILL_MD
from routeiq_skills.store.skill import Skill, digest_of
from routeiq_skills.store.snapshot import Snapshot

SCHEMA = "https://schemas.agentskills.io/discovery/0.2.0/schema.json"
NEW, OLD = "/.well-known/agent-skills", "/.well-known/skills"
_ARCHIVE = ".tar.gz"
_JSON = "application/json"


class Discovery:
    """Both drafts over one snapshot."""

    def __init__(self, snapshot: Callable[[], Snapshot], *, public: bool, seconds: float) -> None:
        self._snapshot = snapshot
        self._public = public
        self._seconds = int(seconds)
        self._indexes: tuple[Snapshot | None, bytes, bytes] = (None, b"", b"")

    def register(self, routes: Routes) -> None:
        """Add the routes."""
        access, list_, read = ("public", None, None) if self._public else ("key", "skill:list", "skill:read")
        for path, handler, action, summary in (
            (f"{NEW}/index.json", self.new_index, list_, "Skills of this gateway (discovery 0.2.0)"),
            (f"{NEW}/{{artifact:path}}", self.artifact, read, "A skill: its SKILL.md or its archive"),
            (f"{OLD}/index.json", self.old_index, list_, "Skills of this gateway (discovery 0.1)"),
            (f"{OLD}/{{skill}}/{{path:path}}", self.file, read, "A file of a skill"),
        ):
            routes.add("GET", path, handler, access=access, summary=summary, action=action)

    async def new_index(self, request: HttpRequest) -> HttpResponse:
        """The index of 0.2.0."""
        return self._answer(request, self._index()[0], _JSON)

    async def old_index(self, request: HttpRequest) -> HttpResponse:
        """The index of 0.1."""
        return self._answer(request, self._index()[1], _JSON)

    async def artifact(self, request: HttpRequest) -> HttpResponse:
        """What an entry of the index of 0.2.0 names."""
        skills = self._snapshot().skills
        name, slash, rest = request.path_params["artifact"].partition("/")
        if slash:
            skill = skills.get(name)
            return self._file(request, skill, rest) if skill is not None else not_found()
        skill = skills.get(name.removesuffix(_ARCHIVE)) if name.endswith(_ARCHIVE) else None
        if skill is None:
            return not_found()
        return self._answer(request, skill.archive.data, skill.archive.media_type, skill.archive.digest)

    async def file(self, request: HttpRequest) -> HttpResponse:
        """A file of a skill."""
        skill = self._snapshot().skills.get(request.path_params["skill"])
        return self._file(request, skill, request.path_params["path"]) if skill is not None else not_found()

    def _file(self, request: HttpRequest, skill: Skill, path: str) -> HttpResponse:
        file = skill.files.get(path)
        if file is None:
            return not_found()
        return self._answer(request, file.data, file.media_type, file.digest)

    def _answer(self, request: HttpRequest, data: bytes, media_type: str, digest: str | None = None) -> HttpResponse:
        told = digest or digest_of(data)
        return answer(request, data, media_type, told, public=self._public, seconds=self._seconds)

    def _index(self) -> tuple[bytes, bytes]:
        snapshot = self._snapshot()
        known, new, old = self._indexes
        if known is not snapshot:
            skills = snapshot.skills.values()
            new = orjson.dumps({"$schema": SCHEMA, "skills": [_new_entry(skill) for skill in skills]})
            old = orjson.dumps({"skills": [_old_entry(skill) for skill in skills]})
            self._indexes = (snapshot, new, old)
        return new, old


def _new_entry(skill: Skill) -> dict[str, str]:
    if len(skill.files) == 1:
        kind, url, digest = "skill-md", f"{NEW}/{skill.name}/{SKILL_MD}", skill.skill_md.digest
    else:
        kind, url, digest = "archive", f"{NEW}/{skill.name}{_ARCHIVE}", skill.archive.digest
    return {"name": skill.name, "type": kind, "description": skill.description, "url": url, "digest": digest}


def _old_entry(skill: Skill) -> dict[str, object]:
    return {"name": skill.name, "description": skill.description, "files": list(skill.files)}
