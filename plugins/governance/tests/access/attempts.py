"""Random calls of the management API by somebody who is no owner: what they may name, and how they are drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

PEOPLE = ("omar", "olga", "tess", "uma", "vic", "rolf", "rita", "ann", "new")
TEAMS = ("blue", "red", "free")
ORGANIZATIONS = ("acme", "rival")
KEYS = ("omar", "olga", "tess", "uma", "vic", "uma-blue", "tess-blue", "robot", "narrow", "rita", "ann", "bare")
LITELLM_ROLES = ("proxy_admin", "proxy_admin_viewer", "org_admin", "internal_user", "internal_user_viewer", "team")
OUR_ROLES = ("owner", "org_admin", "team_admin", "developer", "billing", "auditor", "viewer", "service")
ATTACKERS = ("omar", "olga", "tess", "uma", "vic", "uma-blue", "tess-blue", "robot", "narrow", "bare")

_person = st.sampled_from(PEOPLE).map(lambda name: "{" + name + "}")
_me = st.just("{me}")
_anybody = st.one_of(_me, _me, _person)
_team = st.sampled_from(TEAMS).map(lambda name: "{" + name + "}")
_organization = st.sampled_from(ORGANIZATIONS).map(lambda name: "{" + name + "}")
_key = st.one_of(st.just("{my-key}"), st.sampled_from(KEYS).map(lambda name: "{key-" + name + "}"))
_models = st.sampled_from(([], ["fast"], ["smart"], ["*"], ["all-proxy-models"], ["all-team-models"]))
_dollars = st.sampled_from((None, 1, 1_000_000))
_routes = st.sampled_from(([], ["/*"], ["llm_api_routes"], ["management_routes"], ["/key/info"]))
_key_type = st.sampled_from(("llm_api", "management", "read_only", "default"))
_actions = st.lists(
    st.sampled_from(("*:*", "key:*", "team:read", "team:limit", "organization:limit", "user:*", "gateway:permit")),
    min_size=1,
    max_size=2,
)
_permitted = st.lists(st.sampled_from(("/key/generate", "/key/update", "/key/regenerate", "/key/delete")), max_size=3)
_member = st.fixed_dictionaries({"user_id": _anybody, "role": st.sampled_from(("admin", "user"))})


@dataclass(frozen=True)
class Attempt:
    """One call: with the first of the attacker's credentials, or with the newest that it got hold of."""

    newest: bool
    method: str
    path: str
    body: Mapping[str, Any]


def _body(needed: Mapping[str, st.SearchStrategy[Any]], **some: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(dict(needed), optional=some)


_limits = {"max_budget": _dollars, "models": _models}
_CALLS: Mapping[tuple[str, str], st.SearchStrategy[Any]] = {
    ("POST", "/user/update"): _body(
        {"user_id": _anybody},
        user_role=st.sampled_from(LITELLM_ROLES),
        organizations=st.lists(_organization, max_size=1),
        user_email=st.just("ann@example.com"),
        **_limits,
    ),
    ("POST", "/user/new"): _body(
        {"user_role": st.sampled_from(LITELLM_ROLES)},
        organizations=st.lists(_organization, min_size=1, max_size=1),
        teams=st.lists(_team, max_size=1),
        **_limits,
    ),
    ("POST", "/user/delete"): _body({"user_ids": st.lists(_person, min_size=1, max_size=1)}),
    ("POST", "/key/generate"): _body(
        {},
        user_id=_anybody,
        team_id=_team,
        organization_id=_organization,
        allowed_routes=_routes,
        key_type=_key_type,
        permissions=st.just({"get_spend_routes": True}),
        **_limits,
    ),
    ("POST", "/key/service-account/generate"): _body({"team_id": _team}, allowed_routes=_routes, **_limits),
    ("POST", "/key/update"): _body(
        {"key": _key},
        user_id=_anybody,
        team_id=_team,
        organization_id=_organization,
        allowed_routes=_routes,
        key_type=_key_type,
        permissions=st.just({"get_spend_routes": True}),
        **_limits,
    ),
    ("POST", "/key/regenerate"): _body({"key": _key}, user_id=_anybody, allowed_routes=_routes, **_limits),
    ("POST", "/team/new"): _body(
        {}, organization_id=_organization, members_with_roles=st.lists(_member, max_size=1), **_limits
    ),
    ("POST", "/team/update"): _body(
        {"team_id": _team}, organization_id=_organization, team_member_permissions=_permitted, **_limits
    ),
    ("POST", "/team/permissions_update"): _body({"team_id": _team, "team_member_permissions": _permitted}),
    ("POST", "/team/member_add"): _body({"team_id": _team, "member": _member}),
    ("POST", "/team/member_update"): _body(
        {"team_id": _team, "user_id": _anybody, "role": st.sampled_from(("admin", "user"))}
    ),
    ("POST", "/team/model/add"): _body({"team_id": _team, "models": _models}),
    ("POST", "/organization/new"): _body({"organization_alias": st.just("mine")}, **_limits),
    ("PATCH", "/organization/update"): _body({"organization_id": _organization}, **_limits),
    ("POST", "/organization/member_add"): _body(
        {
            "organization_id": _organization,
            "member": st.fixed_dictionaries(
                {"user_id": _anybody, "role": st.sampled_from(("org_admin", "internal_user"))}
            ),
        }
    ),
    ("PATCH", "/organization/member_update"): _body(
        {"organization_id": _organization, "user_id": _anybody, "role": st.sampled_from(("org_admin", "internal_user"))}
    ),
    ("POST", "/routeiq/v1/roles"): _body(
        {"name": st.sampled_from(("one", "two")), "actions": _actions}, organization_id=_organization
    ),
    ("PATCH", "/routeiq/v1/roles/{role}"): _body({"actions": _actions}),
    ("POST", "/routeiq/v1/bindings"): st.one_of(
        _body(
            {
                "principal": st.one_of(_anybody.map(lambda who: f"user:{who}"), _key.map(lambda key: f"key:{key}")),
                "role": st.one_of(st.sampled_from(OUR_ROLES), st.just("{role}")),
                "scope": st.just(scope),
                **({} if ids is None else {"scope_id": ids}),
            }
        )
        for scope, ids in (("global", None), ("organization", _organization), ("team", _team), ("user", _anybody))
    ),
}


def attempts() -> st.SearchStrategy[list[Attempt]]:
    """Sequences of at most six calls."""
    call = st.sampled_from(sorted(_CALLS)).flatmap(
        lambda at: st.builds(Attempt, st.booleans(), st.just(at[0]), st.just(at[1]), _CALLS[at])
    )
    return st.lists(call, min_size=1, max_size=6)


Names = Callable[[str], str]


def written(value: Any, names: Names) -> Any:
    """`value` with the names in braces replaced."""
    if isinstance(value, str):
        head, brace, rest = value.partition("{")
        return head + names(rest.rstrip("}")) if brace else value
    if isinstance(value, dict):
        return {name: written(inner, names) for name, inner in value.items()}
    return [written(inner, names) for inner in value] if isinstance(value, list) else value
