"""The import, kind by kind, in the order in which things name one another.

What a row becomes is in `entities` and `sealed_rows`; nothing that is there already is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from time import time_ns
from typing import Any, TypeVar

from routeiq_governance.importer import entities as read
from routeiq_governance.importer import target as targets
from routeiq_governance.importer.entities import Known
from routeiq_governance.importer.report import LeftOut, Report
from routeiq_governance.importer.sealed_rows import SealedRows
from routeiq_governance.importer.source import Row, Source
from routeiq_governance.importer.target import Target
from routeiq_governance.importer.unsealing import Opener
from routeiq_governance.store import entities
from routeiq_governance.store.entities import Member, Repository, Stored

S = TypeVar("S", bound=Stored)


async def transfer(
    source: AbstractAsyncContextManager[Source],
    document: Mapping[str, Any],
    *,
    salt_key: str | None,
    environment: Mapping[str, str],
    dry: bool = False,
) -> Report:
    """Bring everything over into the governance database of a configuration; what was done.

    Raises `ImportFailed`, `PluginError`, `StoreUnavailable`; nothing is written then.
    """
    async with source as opened, targets.opened(document, dry=dry) as target:
        now = time_ns()
        sealed = SealedRows(Opener(salt_key), targets.written_names(document), environment, now)
        return await _Transfer(opened, target, sealed, Known(now)).run()


class _Transfer:
    def __init__(self, source: Source, target: Target, sealed: SealedRows, known: Known) -> None:
        self._source = source
        self._target = target
        self._sealed = sealed
        self._known = known
        self._report = Report()

    async def run(self) -> Report:
        source, known = self._source, self._known
        known.permissions = _by(
            "object_permission_id", await source.all("LiteLLM_ObjectPermissionTable", "object_permission_id")
        )
        known.aliases = {row["id"]: row.get("aliases") for row in await source.all("LiteLLM_ModelTable", "id")}
        budgets = await source.all("LiteLLM_BudgetTable", "budget_id")
        known.budgets = _by("budget_id", budgets)
        await self._entities("budgets", budgets, "budget_id", entities.budgets, lambda row: read.budget(row, known))
        organizations = await source.all("LiteLLM_OrganizationTable", "organization_id")
        known.organizations = await self._entities(
            "organizations",
            organizations,
            "organization_id",
            entities.organizations,
            lambda row: read.organization(row, known),
        )
        memberships = await source.all("LiteLLM_TeamMembership", "team_id")
        teams = await source.all("LiteLLM_TeamTable", "team_id")
        users = await source.all("LiteLLM_UserTable", "user_id")
        of_team: dict[str, list[Row]] = {}
        for row in memberships:
            of_team.setdefault(row["team_id"], []).append(row)
        known.teams = await self._entities(
            "teams",
            teams,
            "team_id",
            entities.teams,
            lambda row: read.with_member_models(read.team(row, known), of_team.get(row["team_id"], []), known),
        )
        people = await self._entities("users", users, "user_id", entities.users, lambda row: read.user(row, known))
        of_organizations = await source.all("LiteLLM_OrganizationMembership", "organization_id")
        await self._members(teams, users, memberships, of_organizations, people)
        await self._keys()
        await self._entities(
            "customers",
            await source.all("LiteLLM_EndUserTable", "user_id"),
            "user_id",
            entities.customers,
            lambda row: read.customer(row, known),
        )
        tags = await source.all("LiteLLM_TagTable", "tag_name")
        await self._entities("tags", tags, "tag_name", entities.tags, lambda row: read.tag(row, known))
        await self._others()
        await self._target.touch(kind for kind in targets.KINDS if self._report.line(kind).imported)
        return self._report

    async def _entities(
        self, kind: str, rows: Iterable[Row], id: str, repository: Repository[S], make: Callable[[Row], S]
    ) -> set[str]:
        """Bring rows over; the ids of those that are there now."""
        there = set()
        for row in rows:
            if await self._one(kind, row[id], partial(make, row), repository, row[id]):
                there.add(row[id])
        return there

    async def _one(self, kind: str, name: str, make: Callable[[], S], repository: Repository[S], *id: str) -> bool:
        line = self._report.line(kind)
        line.found += 1
        try:
            value = make()
        except LeftOut as reason:
            self._report.leave_out(kind, name, str(reason))
            return False
        self._count(kind, await self._target.put(repository, value, *id))
        return True

    def _count(self, kind: str, added: bool) -> None:
        line = self._report.line(kind)
        line.imported += added
        line.present += not added

    async def _members(
        self,
        teams: Iterable[Row],
        users: Iterable[Row],
        memberships: Iterable[Row],
        of_organizations: Iterable[Row],
        people: set[str],
    ) -> None:
        """One member for each user of a team or organization, its role and budget from wherever they stand."""
        known, found = self._known, dict[tuple[str, str, str], Member]()
        spent = sum(float(row.get("spend") or 0) > 0 for row in memberships)
        named = [member for row in teams for member in read.members_of_team(row, known)]
        named += [member for row in users for member in read.teams_of_user(row, known)]
        for member in named:
            found.setdefault((member.scope, member.scope_id, member.user_id), member)
        for row in memberships:
            member = read.membership(row, known)
            id = (member.scope, member.scope_id, member.user_id)
            before = found.get(id, member)
            found[id] = Member(**{**_fields(before), "budget_id": member.budget_id})
        for row in of_organizations:
            member = read.organization_membership(row, known)
            found[(member.scope, member.scope_id, member.user_id)] = member
        places = {"team": known.teams, "organization": known.organizations}
        for (scope, scope_id, user_id), member in found.items():
            name = f"{scope} {scope_id} / {user_id}"
            made = _member_or_not(member, scope_id in places[scope], user_id in people)
            await self._one("members", name, made, entities.members, scope, scope_id, user_id)
        if spent:
            text = "what members have spent within their teams so far does not come over; their windows begin now"
            self._report.note("members", f"{spent} members", text)

    async def _keys(self) -> None:
        """Keys one by one: there may be very many."""
        async for row in self._source.rows("LiteLLM_VerificationToken", "token"):
            alias = row.get("key_alias") or row.get("key_name") or row["token"][:12]
            await self._one("keys", alias, partial(read.key, row, self._known), entities.keys, row["token"])

    async def _others(self) -> None:
        source, target = self._source, self._target
        for row in await source.all("LiteLLM_AccessGroupTable", "access_group_id"):
            self._report.line("access_groups").found += 1
            self._count("access_groups", await target.put_access_group(read.access_group(row, self._known)))
        for row in await source.all("LiteLLM_CredentialsTable", "credential_name"):
            self._report.line("credentials").found += 1
            try:
                self._count("credentials", await target.put_credential(self._sealed.credential(row)))
            except LeftOut as reason:
                self._report.leave_out("credentials", row["credential_name"], str(reason))
        for row in await source.all("LiteLLM_ProxyModelTable", "model_id"):
            self._report.line("models").found += 1
            try:
                self._count("models", await target.put_model(self._sealed.model(row)))
            except LeftOut as reason:
                self._report.leave_out("models", f"{row['model_name']} ({row['model_id']})", str(reason))
        projects = len(await source.all("LiteLLM_ProjectTable", "project_id"))
        if projects:
            text = "projects do not come over; their keys do, with the project's id and without its limits"
            self._report.note("projects", f"{projects} projects", text)


def _member_or_not(member: Member, has_place: bool, has_user: bool) -> Callable[[], Member]:
    def make() -> Member:
        if not has_place:
            raise LeftOut(f"the {member.scope} does not exist or did not come over")
        if not has_user:
            raise LeftOut("the user does not exist or did not come over")
        return member

    return make


def _fields(member: Member) -> dict[str, Any]:
    return {name: getattr(member, name) for name in member.__struct_fields__}


def _by(id: str, rows: Iterable[Row]) -> dict[str, Row]:
    return {row[id]: row for row in rows}
