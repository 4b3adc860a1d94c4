"""LiteLLM's rows of budgets, organizations, teams, users, members, keys, customers, tags and access groups as our
entities.

Rows of models and credentials, which are sealed, are in `sealed_rows`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from routeiq_governance.api.limit_fields import CHECKS
from routeiq_governance.api.limit_fields import patched as limits_of
from routeiq_governance.api.team_rows import MEMBER_MODELS
from routeiq_governance.identity.credentials import is_id
from routeiq_governance.identity.limits import Limits
from routeiq_governance.importer.reading import BY, Row, at, filled, since_of
from routeiq_governance.importer.report import LeftOut
from routeiq_governance.store.entities import Budget, Customer, Key, Member, Organization, Tag, Team, User
from routeiq_sdk import RequestError

DASHBOARD = "litellm-dashboard"
"""The team of the sessions of LiteLLM's own web pages."""
_ROLES = {"org_admin": "org_admin", "internal_user": "internal_user", "internal_user_viewer": "internal_user_viewer"}


@dataclass(slots=True)
class Known:
    """Small tables that rows of others point into, by id."""

    now: int
    budgets: Mapping[str, Row] = field(default_factory=dict)
    permissions: Mapping[str, Row] = field(default_factory=dict)
    aliases: Mapping[Any, Any] = field(default_factory=dict)
    """Aliases of models by the number that a team names."""
    organizations: set[str] = field(default_factory=set)
    teams: set[str] = field(default_factory=set)

    def permission(self, row: Row) -> dict[str, Any] | None:
        """What a row may reach beside models (MCP servers, ...)."""
        found = self.permissions.get(row.get("object_permission_id") or "")
        if found is None:
            return None
        return {name: value for name, value in found.items() if name != "object_permission_id" and value}


def budget(row: Row, known: Known) -> Budget:
    """A shared budget."""
    checks = {name: row[name] for name in CHECKS if row.get(name) not in (None, {}, [])}
    try:
        told = {name: CHECKS[name](name, _plain(value)) for name, value in checks.items()}
    except RequestError as refused:
        raise LeftOut(refused.message) from None
    limits = limits_of(Limits(), told, known.now)
    created = at(row.get("created_at")) or known.now
    return Budget(
        id=row["budget_id"],
        limits=msgspec.structs.replace(limits, budget_since=since_of(row, limits, known.now)),
        created_at=created,
        updated_at=at(row.get("updated_at")) or created,
        created_by=row.get("created_by") or BY,
        updated_by=row.get("updated_by") or BY,
    )


def organization(row: Row, known: Known) -> Organization:
    """An organization."""
    entity = Organization(id=row["organization_id"], alias=row.get("organization_alias"))
    return filled(entity, row, known.now, object_permission=known.permission(row))


def team(row: Row, known: Known) -> Team:
    """A team. Raises `LeftOut`."""
    if row["team_id"] == DASHBOARD:
        raise LeftOut("it is the team of LiteLLM's web pages")
    owner = row.get("organization_id")
    if owner is not None and owner not in known.organizations:
        raise LeftOut(f"its organization {owner!r} does not exist")
    entity = Team(id=row["team_id"], alias=row.get("team_alias"), organization_id=owner)
    aliases = known.aliases.get(row.get("model_id"))
    more = {"object_permission": known.permission(row), "model_aliases": aliases if isinstance(aliases, dict) else None}
    return filled(entity, row, known.now, **more)


def user(row: Row, known: Known) -> User:
    """A user; the password stays behind."""
    owner = row.get("organization_id")
    entity = User(
        id=row["user_id"],
        email=row.get("user_email"),
        alias=row.get("user_alias"),
        external_id=row.get("sso_user_id"),
        organization_id=owner if owner in known.organizations else None,
        role=row.get("user_role"),
    )
    return filled(entity, row, known.now, object_permission=known.permission(row))


def key(row: Row, known: Known) -> Key:
    """A virtual key, found by the same SHA-256 as before; its verifier is made when it is used. Raises `LeftOut`."""
    if row.get("team_id") == DASHBOARD:
        raise LeftOut("it is a session of LiteLLM's web pages")
    if not is_id(row["token"]):
        raise LeftOut("it is not stored as a SHA-256, as releases of LiteLLM before 1.0 did")
    owner = row.get("team_id")
    if owner is not None and owner not in known.teams:
        raise LeftOut(f"its team {owner!r} does not exist or did not come over")
    metadata = row.get("metadata") if isinstance(row.get("metadata"), dict) else {}
    entity = Key(
        id=row["token"],
        name=row.get("key_name"),
        alias=row.get("key_alias"),
        user_id=row.get("user_id"),
        team_id=owner,
        organization_id=row.get("organization_id"),
        service_account=bool(metadata.get("service_account_id")) if metadata else False,
        expires_at=at(row.get("expires")),
    )
    return filled(entity, row, known.now, object_permission=known.permission(row))


def customer(row: Row, known: Known) -> Customer:
    """An end user."""
    entity = Customer(id=row["user_id"], alias=row.get("alias"))
    return filled(entity, row, known.now, object_permission=known.permission(row))


def tag(row: Row, known: Known) -> Tag:
    """A tag."""
    return filled(Tag(id=row["tag_name"], description=row.get("description")), row, known.now)


def members_of_team(row: Row, known: Known) -> Iterator[Member]:
    """The members that a team's row names."""
    told = row.get("members_with_roles")
    for each in told if isinstance(told, list) else ():
        if isinstance(each, dict) and each.get("user_id"):
            role = "admin" if each.get("role") == "admin" else "user"
            yield _member("team", row["team_id"], each["user_id"], role, known.now)


def teams_of_user(row: Row, known: Known) -> Iterator[Member]:
    """The teams that a user's row names."""
    for id in row.get("teams") or ():
        yield _member("team", id, row["user_id"], "user", known.now)


def membership(row: Row, known: Known) -> Member:
    """A user's row in a team: it brings the budget."""
    found = _member("team", row["team_id"], row["user_id"], "user", known.now)
    return msgspec.structs.replace(found, budget_id=row.get("budget_id"))


def organization_membership(row: Row, known: Known) -> Member:
    """A user's row in an organization."""
    role = _ROLES.get(row.get("user_role") or "", "internal_user")
    found = _member("organization", row["organization_id"], row["user_id"], role, known.now)
    return msgspec.structs.replace(found, budget_id=row.get("budget_id"))


def with_member_models(team: Team, rows: list[Row], known: Known) -> Team:
    """The team with the models to which single members are bound."""
    found = {}
    for row in rows:
        shared = known.budgets.get(row.get("budget_id") or "")
        models = shared.get("allowed_models") if shared is not None else None
        if models:
            found[row["user_id"]] = list(models)
    if not found:
        return team
    return msgspec.structs.replace(team, settings={**team.settings, MEMBER_MODELS: found})


def access_group(row: Row, known: Known) -> dict[str, Any]:
    """A row of our access groups."""
    kept = ("description", "access_mcp_server_ids", "access_agent_ids", "access_skill_names", "mcp_tool_permissions")
    created = at(row.get("created_at")) or known.now
    return {
        "id": row["access_group_id"],
        "models": list(row.get("access_model_names") or ()),
        "settings": {"name": row["access_group_name"], **{name: row[name] for name in kept if row.get(name)}},
        "created_at": created,
        "updated_at": at(row.get("updated_at")) or created,
        "created_by": row.get("created_by") or BY,
        "updated_by": row.get("updated_by") or BY,
    }


def _member(scope: str, scope_id: str, user: str, role: str, now: int) -> Member:
    return Member(
        scope=scope, scope_id=scope_id, user_id=user, role=role,
        created_at=now, updated_at=now, created_by=BY, updated_by=BY,
    )  # fmt: skip


def _plain(value: Any) -> Any:
    """A time as the checks of the API take it."""
    return value.isoformat() if hasattr(value, "isoformat") else value
