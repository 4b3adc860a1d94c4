"""No sequence of calls of the management API makes somebody who is no owner of everything may more than before.

The gateway is a real one, asked over HTTP; what a credential may do is read from access itself.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from routeiq_governance.access.fields import FIELDS
from routeiq_governance.access.granting import looser_field
from routeiq_governance.access.places import Places
from routeiq_governance.access.roles import BUILT_IN, INFERENCE
from routeiq_governance.access.routes import compiled
from routeiq_governance.identity import credentials
from routeiq_governance.store import entities
from routeiq_sdk import Principal, RequestError
from routeiq_sdk.values.http import Headers, HttpRequest
from routeiq_testkit.gateway import TestGateway, openai_row

from .attempts import ATTACKERS, Attempt, attempts, written
from .over_http import Client

ACTIONS = sorted(
    (
        {action for table in FIELDS.values() for action in table.values()}
        | {action for role in BUILT_IN.values() for action in role.permission.actions}
        | {
            f"{of}:{verb}"
            for of in FIELDS
            for verb in ("create", "update", "delete", "read", "list", "rotate", "block")
        }
        | {"gateway:reload", "role:create", "binding:create", "model:create", "credential:read"}
    )
    - set(INFERENCE)
)
"""All but calls of models, for which no place counts: there the models are compared."""
Rights = frozenset[tuple[str, str, str]]


@dataclass
class Tenant:
    """Two tenants of an example's own in a gateway that many examples share: names stand for ids with a number."""

    gateway: TestGateway
    parts: Any
    number: int
    keys: dict[str, Client] = field(default_factory=dict)
    roles: list[str] = field(default_factory=list)

    def id(self, name: str) -> str:
        return f"{name}{self.number}"

    async def rights(self, holders: list[Client]) -> Rights:
        """Everything that the credentials allow on what there was at the start, and everywhere."""
        found: set[tuple[str, str, str]] = set()
        places = Places(self.parts.database)
        spots = [("global", "")] + [("organization", self.id(name)) for name in ("acme", "rival")]
        spots += [("team", self.id(name)) for name in ("blue", "red", "free")]
        spots += [("user", self.id(name)) for name in ("omar", "olga", "tess", "uma", "vic", "rolf", "rita", "ann")]
        spots += [("key", client.id) for client in self.keys.values()]
        at = {spot: await places.find(spot[0], spot[1] or None) for spot in spots}
        for holder in holders:
            caller = await self.caller(holder)
            if caller is None:
                continue
            standing = await self.parts.access.standing(caller)
            scope = self.parts.access.routes_of(caller)
            for (kind, id), place in at.items():
                if place is not None:
                    found |= {(action, kind, id) for action in ACTIONS if standing.allows(action, place)}
            found |= {("route", path, "") for path in _PATHS if scope is None or _may_call(scope, path)}
            found |= {("model", name, "") for name in self.parts.access.models_of(caller) or ("fast", "smart")}
        return frozenset(found)

    async def caller(self, holder: Client) -> Any:
        request = HttpRequest("GET", "/", {}, {}, Headers([]), b"", Principal(holder.id))
        try:
            return await self.parts.identity.caller_of(request)
        except RequestError:
            return None  # the key is gone

    async def bounds(self) -> Mapping[str, Any]:
        """Limits and lists of models of whoever bounds others."""
        async with self.parts.database.read() as connection:
            return {
                **{f"team {name}": await entities.teams.get(connection, self.id(name)) for name in ("blue", "red")},
                **{
                    f"organization {name}": await entities.organizations.get(connection, self.id(name))
                    for name in ("acme", "rival")
                },
                **{
                    f"user {name}": await entities.users.get(connection, self.id(name))
                    for name in ("uma", "vic", "rita")
                },
            }


_PATHS = ("/v1/chat/completions", "/key/generate", "/key/info", "/team/update", "/user/update", "/routeiq/v1/roles")
RUNS = {
    "omar": ("organization acme", "team blue", "user uma", "user vic"),
    "olga": ("team blue", "user uma", "user vic"),
}
"""Whose bounds an attacker may loosen, as it runs them: an organization's owner its limits and models, too."""


def _may_call(scope: list[str], path: str) -> bool:
    return compiled(tuple(scope)).allows(path)


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[asyncio.Runner, TestGateway]]:
    """One gateway for all examples, in a loop of its own."""
    with asyncio.Runner() as runner, tempfile.TemporaryDirectory() as folder:
        rows = [openai_row(name, "http://127.0.0.1:9/v1") for name in ("fast", "smart")]
        config = {"model_list": rows, "routeiq": {"plugins": {"governance": {}}, "logs": {"level": "error"}}}
        gateway = TestGateway(Path(folder), config)
        runner.run(gateway.__aenter__())
        try:
            yield runner, gateway
        finally:
            runner.run(gateway.__aexit__(None, None, None))


_numbers = itertools.count()
UPDATE_SELF = [
    Attempt(False, "POST", "/user/update", {"user_id": "{me}", "user_role": "proxy_admin"}),
    Attempt(False, "POST", "/user/update", {"user_id": "{me}", "max_budget": 1_000_000, "models": ["*"]}),
    Attempt(
        False,
        "POST",
        "/key/update",
        {"key": "{my-key}", "allowed_routes": ["/*"], "permissions": {"get_spend_routes": True}},
    ),
    Attempt(False, "POST", "/team/member_add", {"team_id": "{red}", "member": {"user_id": "{me}", "role": "admin"}}),
    Attempt(False, "POST", "/key/update", {"key": "{my-key}", "team_id": "{red}"}),
    Attempt(False, "POST", "/key/generate", {"user_id": "{ann}"}),
]
"""What internal users of LiteLLM were able to do to themselves, one after the other."""
TAKE_OVER = [
    Attempt(
        False,
        "POST",
        "/organization/member_add",
        {"organization_id": "{acme}", "member": {"user_id": "{ann}", "role": "internal_user"}},
    ),
    Attempt(False, "POST", "/key/generate", {"user_id": "{ann}"}),
    Attempt(False, "POST", "/team/member_add", {"team_id": "{blue}", "member": {"user_id": "{ann}", "role": "user"}}),
    Attempt(False, "POST", "/key/generate", {"user_id": "{ann}", "team_id": "{blue}"}),
    Attempt(False, "POST", "/user/update", {"user_id": "{ann}", "organizations": ["{acme}"]}),
    Attempt(False, "POST", "/key/regenerate", {"key": "{key-ann}"}),
]
"""An admin who invites somebody that may more, and then acts in its name."""
OWN_ROLE = [
    Attempt(False, "POST", "/routeiq/v1/roles", {"name": "one", "actions": ["team:read"], "organization_id": "{acme}"}),
    Attempt(
        False,
        "POST",
        "/routeiq/v1/bindings",
        {"principal": "user:{me}", "role": "{role}", "scope": "organization", "scope_id": "{acme}"},
    ),
    Attempt(False, "PATCH", "/routeiq/v1/roles/{role}", {"actions": ["*:*"]}),
]


@pytest.mark.timeout(3600)
def test_no_sequence_of_calls_lifts_anybody(shared: tuple[asyncio.Runner, TestGateway], whole: bool) -> None:
    runner, gateway = shared
    examples = 1000 if whole else 6

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(attacker=st.sampled_from(ATTACKERS), calls=attempts())
    @example(attacker="uma", calls=UPDATE_SELF)
    @example(attacker="narrow", calls=UPDATE_SELF)
    @example(attacker="tess", calls=TAKE_OVER)
    @example(attacker="olga", calls=TAKE_OVER)
    @example(attacker="olga", calls=OWN_ROLE)
    def lifts_nobody(attacker: str, calls: list[Attempt]) -> None:
        runner.run(_try(gateway, attacker, calls))

    lifts_nobody()


async def _try(gateway: TestGateway, attacker: str, calls: list[Attempt]) -> None:
    tenant = await _tenant(gateway)
    me = tenant.keys[attacker]
    user = attacker.removesuffix("-blue")
    own = [client for name, client in tenant.keys.items() if name == attacker]
    before, bounds = await tenant.rights(own), await tenant.bounds()
    held = list(own)

    def names(name: str) -> str:
        if name == "me":
            return tenant.id("uma" if user in ("narrow", "robot", "bare") else user)
        if name == "my-key":
            return me.id
        if name == "role":
            return tenant.roles[-1] if tenant.roles else "viewer"
        return tenant.keys[name.removeprefix("key-")].id if name.startswith("key-") else tenant.id(name)

    told = []
    for call in calls:
        client = held[-1] if call.newest else held[0]
        path = written(call.path, names) if "{" in call.path else call.path
        status, answer = await client.ask(call.method, path, written(dict(call.body), names))
        assert status < 500, (attacker, call, status, answer)
        told.append((call.method, path, dict(call.body), status))
        if status in (200, 201) and isinstance(answer, dict):
            if isinstance(answer.get("key"), str) and answer["key"].startswith("sk-"):
                held.append(Client(gateway, answer["key"], credentials.key_id(answer["key"])))
            if path == "/routeiq/v1/roles":
                tenant.roles.append(answer["id"])
    gained = {right for right in await tenant.rights(held) - before if user != "omar" or right[0] != "model"}
    assert gained == set(), (attacker, sorted(gained)[:5], told)
    for name, was in bounds.items():
        now = (await tenant.bounds())[name]
        if now is None or name in RUNS.get(user, ()):
            continue
        assert looser_field(was.limits, now.limits) is None, (attacker, name, told)
        assert not was.models or (now.models and set(now.models) <= set(was.models)), (attacker, name, told)


async def _tenant(gateway: TestGateway) -> Tenant:
    (member,) = (member for member in gateway.runtime.plugins.members if member.name == "governance")
    tenant = Tenant(gateway, member.instance._parts, next(_numbers))  # type: ignore[attr-defined]
    master, id = Client(gateway, gateway.key), tenant.id
    for organization, team in (("acme", "blue"), ("rival", "red")):
        home = {"organization_id": id(organization), "max_budget": 100, "models": ["fast"]}
        await master.good("POST", "/organization/new", {**home, "organization_alias": organization})
        await master.good("POST", "/team/new", {**home, "team_id": id(team), "max_budget": 50})
    await master.good("POST", "/team/new", {"team_id": id("free")})
    for user, organization, role in (
        ("ann", None, "proxy_admin"),
        ("omar", "acme", "internal_user"),
        ("olga", "acme", "internal_user"),
        ("tess", "acme", "internal_user"),
        ("uma", "acme", "internal_user"),
        ("vic", "acme", "internal_user_viewer"),
        ("rolf", "rival", "internal_user"),
        ("rita", "rival", "internal_user"),
    ):
        home = {} if organization is None else {"organizations": [id(organization)]}
        bounded = {"max_budget": 10, "models": ["fast"]} if user in ("uma", "vic", "rita") else {}
        made = await master.good("POST", "/user/new", {"user_id": id(user), "user_role": role, **home, **bounded})
        tenant.keys[user] = Client(gateway, made["key"], credentials.key_id(made["key"]))
    for user, organization in (("olga", "acme"), ("rolf", "rival")):
        lifted = {"organization_id": id(organization), "user_id": id(user), "role": "org_admin"}
        await master.good("PATCH", "/organization/member_update", lifted)
    owner = {"principal": f"user:{id('omar')}", "role": "owner", "scope": "organization", "scope_id": id("acme")}
    await master.good("POST", "/routeiq/v1/bindings", owner)
    for user, team, role in (("tess", "blue", "admin"), ("uma", "blue", "user"), ("rita", "red", "user")):
        await master.good(
            "POST", "/team/member_add", {"team_id": id(team), "member": {"user_id": id(user), "role": role}}
        )
    for name, fields in (
        ("uma-blue", {"user_id": id("uma"), "team_id": id("blue")}),
        ("tess-blue", {"user_id": id("tess"), "team_id": id("blue")}),
        ("robot", {"team_id": id("blue")}),
        ("bare", {}),
        ("narrow", {"user_id": id("uma"), "key_type": "management", "models": ["fast"], "max_budget": 5}),
    ):
        made = await master.good("POST", "/key/generate", fields)
        tenant.keys[name] = Client(gateway, made["key"], made["token"])
    return tenant
