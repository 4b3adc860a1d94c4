"""V6: every field of every management request, written by people who may not write it: nothing of theirs grows.

The requests and their fields are those that the product itself checks bodies against, so that a new field is tried too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from routeiq_governance.access.fields import FIELDS
from routeiq_governance.api import keys, organizations, teams, user_changes, users
from routeiq_testkit.pytest_plugin import Share

from .tenants import Client, Tenants

VALUES: Mapping[str, Any] = {
    "user_role": "proxy_admin",
    "organization_id": "rival",
    "organizations": ["rival"],
    "team_id": "red",
    "teams": ["red"],
    "user_id": "rita",
    "user_email": "rita@example.com",
    "sso_user_id": "somebody-else",
    "models": ["*"],
    "permissions": {"get_spend_routes": True},
    "blocked": False,
    "spend": 0,
    "metadata": {"note": "mine"},
    "aliases": {"fast": "smart"},
    "model_aliases": {"fast": "smart"},
    "members_with_roles": [{"user_id": "uma", "role": "admin"}],
    "team_member_permissions": ["/key/generate", "/key/delete"],
    "budget_id": "free-for-all",
    "object_permission": {"vector_stores": ["*"]},
    "allowed_routes": ["/*"],
    "allowed_passthrough_routes": ["/*"],
    "guardrails": [],
    "tags": ["free"],
    "key_type": "management",
}
GUESSES: tuple[Any, ...] = (1_000_000, "30d", True, False, None, ["*"], {"*": 1_000_000}, "x", [], {})
"""What is tried in a field that has no value of its own above: one of them fits."""
ALSO = (
    "is_admin",
    "role",
    "roles",
    "proxy_admin",
    "created_by",
    "id",
    "token",
    "verifier",
    "password",
    "kind",
    "__proto__",
)
"""Fields that requests do not have, and frameworks have bound anyway."""
WATCHED: Mapping[str, tuple[str, ...]] = {
    "user": ("user_role", "max_budget", "models", "tpm_limit", "rpm_limit", "user_email", "organization_id", "teams"),
    "team": ("max_budget", "models", "tpm_limit", "rpm_limit", "organization_id", "blocked", "members_with_roles"),
    "organization": ("models", "litellm_budget_table", "metadata", "organization_alias"),
    "key": ("user_id", "team_id", "organization_id", "permissions", "blocked", "allowed_routes"),
}


def fields_of(resource: str) -> list[str]:
    """All fields of a resource's requests, those of the reviewed table of privileges among them."""
    told = {
        "user": {**user_changes.FIELDS, **users._NEW},
        "team": {**teams._BOTH, **teams._NEW},
        "organization": organizations._CHANGED,
        "key": keys._UPDATE,
    }[resource]
    return sorted({*told, *FIELDS[resource], *ALSO})


def tried(field: str) -> tuple[Any, ...]:
    """The values that are written into a field."""
    return (VALUES[field],) if field in VALUES else GUESSES


async def seen(both: Tenants, resource: str) -> str:
    """What is watched of `uma`, of her team, of her organization, of her key, as the operator sees it."""
    master = both.master
    if resource == "user":
        told = (await master.good("GET", "/user/info", user_id="uma"))["user_info"]
    elif resource == "team":
        told = (await master.good("GET", "/team/info", team_id="blue"))["team_info"]
    elif resource == "organization":
        told = await master.good("GET", "/organization/info", organization_id="acme")
    else:
        told = (await master.good("GET", "/key/info", key=both["uma-blue"].id))["info"]
    return json.dumps({name: told.get(name) for name in WATCHED[resource]}, sort_keys=True, default=str)


ROUTES: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "user": ("POST", "/user/update", {"user_id": "uma"}),
    "team": ("POST", "/team/update", {"team_id": "blue"}),
    "organization": ("PATCH", "/organization/update", {"organization_id": "acme"}),
    "key": ("POST", "/key/update", {"key": "UMA-BLUE"}),
}


async def attack(both: Tenants, who: str, resource: str, tries: Callable[[int], bool] = lambda _: True) -> list[Any]:
    """Write each field whose number `tries` says; what changed of the things that are watched."""
    method, path, named = ROUTES[resource]
    client: Client = both[who]
    wrong = []
    before = await seen(both, resource)
    for field in (field for number, field in enumerate(fields_of(resource)) if tries(number)):
        for value in tried(field):
            body = {**named, field: value}
            if body.get("key") == "UMA-BLUE":
                body["key"] = both["uma-blue"].id
            answer = await client.ask(method, path, body)
            assert answer.status < 500, (resource, field, value, answer)
            if answer.status < 400:
                now = await seen(both, resource)
                if now != before:
                    wrong.append((who, resource, field, value, before, now))
                    before = now
    return wrong


async def test_a_member_writes_no_field_of_what_bounds_it(both: Tenants, share: Share) -> None:
    await both.master.good(
        "POST", "/user/update", {"user_id": "uma", "max_budget": 10, "models": ["fast"], "rpm_limit": 50}
    )
    await both.master.good("POST", "/team/update", {"team_id": "blue", "max_budget": 50, "models": ["fast"]})
    wrong = []
    for turn, who in enumerate(("uma", "uma-blue", "robot", "bare", "rita")):
        for resource in ("user", "team", "organization", "key"):
            wrong += await attack(both, who, resource, lambda number, turn=turn: share(number + turn, 3))  # type: ignore[misc]
    assert not wrong, "\n".join(map(str, wrong))
    assert (await both["uma"].ask("GET", "/routeiq/v1/status")).status == 403


async def test_an_admin_of_a_team_writes_no_field_of_what_bounds_the_team(both: Tenants) -> None:
    await both.master.good("POST", "/team/update", {"team_id": "blue", "max_budget": 50, "models": ["fast"]})
    before = json.loads(await seen(both, "team"))
    await attack(both, "tess", "team")
    after = json.loads(await seen(both, "team"))
    for name in ("max_budget", "models", "organization_id", "tpm_limit", "rpm_limit", "blocked"):
        assert after[name] == before[name], name
    assert not await attack(both, "tess", "organization")


async def test_nobody_is_made_an_admin_on_the_way_in(both: Tenants) -> None:
    wrong = []
    for who in ("olga", "tess", "uma", "uma-blue", "robot", "bare"):
        for role in (
            "proxy_admin",
            "proxy_admin_viewer",
            "org_admin",
            "owner",
            "admin",
            "PROXY_ADMIN",
            ["proxy_admin"],
        ):
            body = {"user_id": f"new-{who}-{role}", "user_role": role, "organizations": ["acme"]}
            answer = await both[who].ask("POST", "/user/new", body)
            if answer.status < 400 and (await client_status(both, answer)) == 200:
                wrong.append((who, role))
            assert answer.status < 500, (who, role, answer)
    assert not wrong, wrong


async def client_status(both: Tenants, answer: Any) -> int:
    """What a new user's key may see of the gateway."""
    return (await Client(both.master.gateway, answer.json["key"]).ask("GET", "/routeiq/v1/status")).status
