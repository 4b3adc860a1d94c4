"""Uploaded skills kept by this gateway, each team's or user's apart from all others'.

How they lie on the disk is the shelf's business.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import TypeVar

from routeiq_sdk.gateway import Clock
from routeiq_sdk.values.http import HttpRequest, HttpResponse
from routeiq_skills.config import UploadSettings
from routeiq_skills.store.limits import MIB
from routeiq_skills.store.skill import Skill
from routeiq_skills.uploads.form import Form, form_of
from routeiq_skills.uploads.home import Refused, nothing, tenant_of, wrong
from routeiq_skills.uploads.reading import skill_in
from routeiq_skills.uploads.shapes import is_old, page_json, skill_json, version_json
from routeiq_skills.uploads.shelf import Record, Shelf, Version

T = TypeVar("T")
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_MOST_TITLE = 255
_AT_ONCE = 4
"""Uploads that are unpacked at the same time; each may take some tens of MiB for a moment."""


class Kept:
    """The home of uploaded skills on this machine's disk."""

    def __init__(self, shelf: Shelf, settings: UploadSettings, clock: Clock) -> None:
        self._shelf = shelf
        self._settings = settings
        self._clock = clock
        self._gate = asyncio.Semaphore(_AT_ONCE)

    async def create(self, request: HttpRequest) -> HttpResponse:
        """A new skill with its first version."""
        tenant, form, skill = await self._upload(request)
        title = _title(form, skill)

        def work() -> Record:
            with self._shelf.locked(tenant):
                records = self._shelf.all(tenant)
                if len(records) >= self._settings.max_skills:
                    raise _full(f"You have {len(records)} skills, and no more may be kept; delete one.")
                now = self._clock.now_ns()
                record = Record(_id("skill_01"), skill.name, title, now, now, ())
                return self._add(tenant, records, record, skill)

        return HttpResponse.json(skill_json(await asyncio.to_thread(work), old=is_old(request)))

    async def list_skills(self, request: HttpRequest) -> HttpResponse:
        """A page of the caller's skills; there are none of Anthropic's."""
        tenant, old = tenant_of(request.principal), is_old(request)
        mine = request.query.get("source", "custom") == "custom"
        records = await asyncio.to_thread(self._shelf.all, tenant) if mine else []
        page = page_json(request, records, lambda record: record.id, lambda record: skill_json(record, old=old))
        return HttpResponse.json(page)

    async def get(self, request: HttpRequest) -> HttpResponse:
        """One skill."""
        return HttpResponse.json(skill_json(await self._record(request), old=is_old(request)))

    async def delete(self, request: HttpRequest) -> HttpResponse:
        """Delete a skill and its versions."""

        def work(tenant: str, record: Record) -> None:
            self._shelf.remove(tenant, record.id)

        await self._change(request, work)
        return HttpResponse.json({"id": request.path_params["skill_id"], "type": "skill_deleted"})

    async def create_version(self, request: HttpRequest) -> HttpResponse:
        """A new version of a skill, under the same name."""
        await self._record(request)  # nobody uploads to what is not there
        _, _, skill = await self._upload(request)

        def work(tenant: str, record: Record) -> Record:
            if skill.name != record.name:
                raise wrong(f"The skill's name is {record.name!r}, and that of the upload is {skill.name!r}.")
            if len(record.versions) >= self._settings.max_versions:
                raise _full(f"The skill has {len(record.versions)} versions, and no more may be kept; delete one.")
            return self._add(tenant, self._shelf.all(tenant), record, skill)

        record = await self._change(request, work)
        return HttpResponse.json(version_json(record, record.versions[-1], old=is_old(request)))

    async def list_versions(self, request: HttpRequest) -> HttpResponse:
        """A page of a skill's versions, newest first."""
        record, old = await self._record(request), is_old(request)
        return HttpResponse.json(
            page_json(
                request,
                record.versions[::-1],
                lambda version: version.id,
                lambda version: version_json(record, version, old=old),
            )
        )

    async def get_version(self, request: HttpRequest) -> HttpResponse:
        """One version."""
        record = await self._record(request)
        return HttpResponse.json(version_json(record, _version(record, request), old=is_old(request)))

    async def delete_version(self, request: HttpRequest) -> HttpResponse:
        """Delete a version."""

        def work(tenant: str, record: Record) -> Version:
            gone = _version(record, request)
            left = tuple(version for version in record.versions if version is not gone)
            now = self._clock.now_ns()
            self._shelf.put(tenant, Record(record.id, record.name, record.title, record.created_ns, now, left))
            return gone

        gone = await self._change(request, work)
        told = str(gone.number) if is_old(request) else gone.id
        return HttpResponse.json({"id": told, "type": "skill_version_deleted"})

    async def content(self, request: HttpRequest) -> HttpResponse:
        """A version's files as a zip archive."""
        record = await self._record(request)
        version = _version(record, request)
        data = await asyncio.to_thread(self._shelf.content, tenant_of(request.principal), record.id, version.id)
        if data is None:
            raise nothing("version")
        headers = {
            "content-disposition": f'attachment; filename="{record.name}.zip"',
            "x-content-type-options": "nosniff",
            "cache-control": "private, no-store",
        }
        return HttpResponse(200, data, headers, "application/zip")

    async def _upload(self, request: HttpRequest) -> tuple[str, Form, Skill]:
        tenant = tenant_of(request.principal)
        async with self._gate:

            def work() -> tuple[Form, Skill]:
                form = form_of(request)
                skill = skill_in(form)
                skill.zip  # noqa: B018 - packed here, in the thread, and kept with the skill
                return form, skill

            form, skill = await asyncio.to_thread(work)
        return tenant, form, skill

    def _add(self, tenant: str, records: list[Record], record: Record, skill: Skill) -> Record:
        archive = skill.zip
        used, most = sum(each.size for each in records), int(self._settings.max_mib * MIB)
        if used + len(archive) > most:
            raise _full(f"You keep {used} bytes of skills, and {len(archive)} more would pass {most}; delete some.")
        now = self._clock.now_ns()
        newest = max((version.number for version in record.versions), default=0)
        number = max(now // 1000, newest + 1)
        version = Version(_id("skillver_01"), number, now, skill.description, len(archive), skill.digest)
        return self._shelf.add(tenant, record, version, archive)

    async def _record(self, request: HttpRequest) -> Record:
        tenant = tenant_of(request.principal)
        record = await asyncio.to_thread(self._shelf.get, tenant, request.path_params["skill_id"])
        if record is None:
            raise nothing("skill")
        return record

    async def _change(self, request: HttpRequest, work: Callable[[str, Record], T]) -> T:
        tenant, id = tenant_of(request.principal), request.path_params["skill_id"]

        def change() -> T:
            with self._shelf.locked(tenant):
                record = self._shelf.get(tenant, id)
                if record is None:
                    raise nothing("skill")
                return work(tenant, record)

        return await asyncio.to_thread(change)


def _version(record: Record, request: HttpRequest) -> Version:
    told = request.path_params["version"]
    for version in reversed(record.versions):
        if told in (version.id, str(version.number), "latest"):
            return version
    raise nothing("version")


def _title(form: Form, skill: Skill) -> str:
    title = form.fields.get("display_name", form.fields.get("display_title", "")).strip() or skill.name
    if len(title) > _MOST_TITLE or not title.isprintable():
        raise wrong(f"The display name is not one line of at most {_MOST_TITLE} characters.")
    return title


def _full(message: str) -> Refused:
    return Refused(413, "request_too_large", message)


def _id(prefix: str) -> str:
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(22))
