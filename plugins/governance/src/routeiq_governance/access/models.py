"""Which models a caller may use: the lists of its key, team, user and organization, each of which must agree.

A list may name models, wildcards (`openai/*`), access groups, and LiteLLM's special names. An empty one does not bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from routeiq_governance.identity.caller import Caller, Entity
from routeiq_sdk import Deployment, ModelGroup

ALL_PROXY = "all-proxy-models"
ALL_TEAM = "all-team-models"
NO_DEFAULT = "no-default-models"
_EVERYTHING = frozenset({"*", ALL_PROXY})


@dataclass(frozen=True, slots=True)
class Allowed:
    """One list. `holder` is whose it is, as errors name it."""

    holder: str
    names: frozenset[str]
    patterns: tuple[re.Pattern[str], ...]

    def allows(self, names: Iterable[str], access_groups: Iterable[str] = ()) -> bool:
        """Whether it names one of `names`, or an access group that the model is in."""
        for name in names:
            if name in self.names or any(pattern.fullmatch(name) is not None for pattern in self.patterns):
                return True
        return not self.names.isdisjoint(access_groups)


@dataclass(frozen=True, slots=True)
class Names:
    """Names behind names: router aliases and virtual models with their members."""

    aliases: Mapping[str, str]
    virtual: Mapping[str, frozenset[str]]

    def of(self, asked: str) -> tuple[str, ...]:
        """The names under which a list may allow what was asked for."""
        target = self.aliases.get(asked)
        return (asked,) if target is None else (asked, target)


def lists_of(
    caller: Caller, groups: Mapping[str, frozenset[str]], by_role: Sequence[str] | None = None
) -> tuple[Allowed, ...]:
    """All lists that bound a caller. `groups` are the database's access groups; `by_role` is the list that the
    operator gives the roles of a token."""
    team, found = caller.entity("team"), []
    for scope, holder in (("key", "key"), ("team", "team"), ("member", "team"), ("organization", "org")):
        entity = caller.entity(scope)
        if entity is not None:
            found.append(_list_of(entity, holder, groups, team))
    user = caller.entity("user")
    if (
        user is not None and caller.team is None
    ):  # the user's own list bounds personal keys; a team's key has its team's
        found.append(_list_of(user, "user", groups, None))
    if by_role is not None:
        found.append(allowed("user", by_role, groups))
    return tuple(each for each in found if each is not None)


def customer_list(customer: Entity, groups: Mapping[str, frozenset[str]]) -> Allowed | None:
    """The list of an end user."""
    return _list_of(customer, "customer", groups, None)


def allowed(holder: str, models: Sequence[str], groups: Mapping[str, frozenset[str]]) -> Allowed | None:
    """The list of these names, access groups opened; `None` when it does not bound."""
    if _EVERYTHING.intersection(models):
        return None
    names = set(models)
    for name in models:
        names |= groups.get(name, frozenset())
    return Allowed(holder, frozenset(names), tuple(_pattern(name) for name in sorted(names) if "*" in name))


def _list_of(entity: Entity, holder: str, groups: Mapping[str, frozenset[str]], team: Entity | None) -> Allowed | None:
    models: list[str] = list(entity.models)
    if not models:
        return None
    if ALL_TEAM in models:
        if team is None or entity is team or not team.models:
            return None
        models = [name for name in models if name != ALL_TEAM] + list(team.models) + _group_ids(team)
    return allowed(holder, [*models, *_group_ids(entity)], groups)


def _group_ids(entity: Entity) -> list[str]:
    written: Any = entity.settings.get("access_group_ids")
    return [id for id in written if isinstance(id, str)] if isinstance(written, list | tuple) else []


def access_groups_of(deployment: Deployment) -> Sequence[str]:
    """The access groups that a row of `model_list` is in."""
    written = deployment.info.get("access_groups")
    return written if isinstance(written, list | tuple) else ()


def team_of(deployment: Deployment) -> str | None:
    """The only team that may use the row."""
    team = deployment.info.get("team_id")
    return team if isinstance(team, str) and team else None


def refusing_request(
    lists: Sequence[Allowed], asked: str, group: ModelGroup | None, names: Names, team: str | None
) -> str | None:
    """Whose list refuses the model that is asked for; `None` when all agree, and when only the target can tell."""
    called = names.of(asked)
    rows = group.deployments if group is not None else ()
    mine = [row for row in rows if team_of(row) in (None, team)]
    if rows and not mine:
        return "team" if team is not None else "key"
    if not lists:
        return None
    inside = {name for row in mine for name in access_groups_of(row)}
    own = {name for row in mine if team_of(row) is not None for name in public_names_of(row)}
    for each in lists:
        if each.allows((*called, *own), inside) or (each.holder == "team" and own):
            continue
        if group is None and asked not in names.virtual and _may_be_in_a_group(each):
            continue  # the rows behind a wildcard know their access groups; they are looked at one by one
        return each.holder
    return None


def refusing_target(lists: Sequence[Allowed], asked: str, deployment: Deployment, names: Names) -> str | None:
    """Whose list refuses this row for what was asked for; `None` when all agree."""
    called: tuple[str, ...] = (deployment.group, *public_names_of(deployment))
    if deployment.group in names.of(asked):
        called += names.of(asked)
    members = names.virtual.get(asked, frozenset())
    for each in lists:
        if each.allows(called, access_groups_of(deployment)) or (each.holder == "team" and team_of(deployment)):
            continue
        if deployment.group in members and each.allows((asked,)) and not each.allows(members):
            continue  # who names the virtual model alone gets all its members
        return each.holder
    return None


def public_names_of(deployment: Deployment) -> tuple[str, ...]:
    """The name under which the row's team asks for it, if it is a team's."""
    name = deployment.info.get("team_public_model_name")
    return (name,) if isinstance(name, str) and team_of(deployment) is not None else ()


def _may_be_in_a_group(each: Allowed) -> bool:
    return any("*" not in name and "/" not in name for name in each.names)


@lru_cache(maxsize=4096)
def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in name.split("*")), re.DOTALL)
