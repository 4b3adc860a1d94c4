"""Roles, bindings and access groups of the database, compiled into one value that a change swaps.

What the caller's own entities grant beside them is in `standing`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import select

from routeiq_governance.access.permission import Grant, Permission
from routeiq_governance.access.roles import BUILT_IN, LITELLM, Role
from routeiq_governance.store.database import Database
from routeiq_governance.store.tables import access_groups, bindings, roles

log = structlog.get_logger("routeiq.governance.access")


@dataclass(frozen=True, slots=True)
class Custom:
    """A custom role and the organization it belongs to (`None`: the gateway's own)."""

    role: Role
    id: str
    organization: str | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of all roles, bindings by principal (`user:ID`, `key:HASH`) and models of access groups."""

    version: int = 0
    custom: Mapping[str, Custom] = field(default_factory=dict)
    bound: Mapping[str, tuple[Grant, ...]] = field(default_factory=dict)
    access_groups: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def role(self, name: str, organization: str | None) -> Role | None:
        """The role that a name means in an organization: a built-in one, one of its own, one of the gateway's."""
        if name in BUILT_IN:
            return BUILT_IN[name]
        own = shared = None
        for custom in self.custom.values():
            if name in (custom.id, custom.role.name):
                if custom.organization is None:
                    shared = custom.role
                elif custom.organization == organization:
                    own = custom.role
        return own or shared

    def grants_of(
        self, name: str, *, user: str | None, team: str | None, organization: str | None, scope: str | None = None
    ) -> tuple[Grant, ...]:
        """What a role name means for somebody: LiteLLM's as the table says; one of ours in the organization if there is
        one, else everywhere, but `team_admin` in the team and `developer`, `service` for the user itself."""
        ids = {"global": "", "organization": organization, "team": team, "user": user}
        pairs: Iterable[tuple[str, str]]
        if name in LITELLM and (name not in BUILT_IN or name == "org_admin"):
            pairs = LITELLM[name]
        else:
            pairs = ((name, scope or _HOME.get(name) or ("organization" if organization is not None else "global")),)
        found = []
        for wanted, at in pairs:
            role, id = self.role(wanted, organization), ids[at]
            if role is not None and id is not None:
                found.append(grant(role, at, id))
        return tuple(found)


_HOME: Mapping[str, str] = {"team_admin": "team", "developer": "user", "service": "user", "org_admin": "organization"}


def grant(role: Role, scope: str, id: str) -> Grant:
    """A role at a scope."""
    return Grant(role.permission, scope, id, role.below, role.name)


def compiled(
    version: int,
    role_rows: Sequence[Mapping[str, Any]],
    binding_rows: Sequence[Mapping[str, Any]],
    groups: Mapping[str, Sequence[str]],
) -> Snapshot:
    """The snapshot of these rows. A row that makes no sense grants nothing, and one line says so."""
    custom: dict[str, Custom] = {}
    for row in role_rows:
        try:
            role = Role(row["name"], "", Permission.of(row["actions"]))
        except (TypeError, ValueError) as error:
            log.error("a role grants nothing: its row makes no sense", role=row["id"], detail=str(error))
            continue
        custom[row["id"]] = Custom(role, row["id"], row["organization_id"])
    known: dict[str, Role] = {**{id: each.role for id, each in custom.items()}, **BUILT_IN}
    bound: dict[str, list[Grant]] = {}
    for row in binding_rows:
        found = known.get(row["role"])
        if found is None:
            log.error("a binding grants nothing: its role does not exist", binding=row["id"], role=row["role"])
            continue
        bound.setdefault(row["principal"], []).append(grant(found, row["scope"], row["scope_id"]))
    models = {name: frozenset(name for name in written if isinstance(name, str)) for name, written in groups.items()}
    return Snapshot(version, custom, {principal: tuple(grants) for principal, grants in bound.items()}, models)


async def load(database: Database, version: int) -> Snapshot:
    """Read the three tables. Raises `StoreUnavailable`."""
    async with database.read() as connection:
        role_rows = (await connection.execute(select(roles))).mappings().all()
        binding_rows = (await connection.execute(select(bindings))).mappings().all()
        groups = (await connection.execute(select(access_groups.c.id, access_groups.c.models))).all()
    of_groups = {row[0]: row[1] for row in groups}
    return compiled(version, [dict(row) for row in role_rows], [dict(row) for row in binding_rows], of_groups)
