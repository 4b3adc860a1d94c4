"""A whole gateway with two tenants, and clients of it: one a role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from routeiq_testkit.gateway import TestGateway

USERS: Mapping[str, tuple[str, str | None, str | None, str | None]] = {
    "ann": ("proxy_admin", None, None, None),
    "vera": ("proxy_admin_viewer", None, None, None),
    "olga": ("internal_user", "acme", "org_admin", None),
    "tess": ("internal_user", "acme", "internal_user", "admin"),
    "uma": ("internal_user", "acme", "internal_user", "user"),
    "vic": ("internal_user_viewer", "acme", "internal_user", None),
    "bill": ("internal_user_viewer", "acme", "internal_user", None),
    "aude": ("internal_user_viewer", "acme", "internal_user", None),
    "omar": ("internal_user_viewer", "acme", "internal_user", None),
    "rolf": ("internal_user", "rival", "org_admin", None),
    "rita": ("internal_user", "rival", "internal_user", "user"),
}
"""Role, organization, role in it, role in its team (`blue` of `acme`, `red` of `rival`)."""
BOUND = {"bill": "billing", "aude": "auditor", "omar": "owner"}
"""Roles of ours that are bound at `acme`."""
TEAMS = {"acme": "blue", "rival": "red"}


@dataclass(frozen=True)
class Client:
    """Calls a gateway with one key; `id` is the key's hash."""

    gateway: TestGateway
    key: str
    id: str = ""

    async def ask(self, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Any]:
        """Status and JSON body."""
        headers = {"authorization": f"Bearer {self.key}"}
        async with self.gateway.session.request(method, path, json=body, params=query, headers=headers) as response:
            return response.status, await response.json()

    async def good(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """The body of an answer that must be good."""
        status, answer = await self.ask(method, path, body, **query)
        assert status in (200, 201), (method, path, status, answer)
        return answer

    async def status(self, method: str, path: str, body: Any = None, **query: str) -> int:
        """The status alone."""
        return (await self.ask(method, path, body, **query))[0]


@dataclass(frozen=True)
class Tenants:
    """Organizations `acme` and `rival` with a team each. `people` have personal keys, `keys` are others by name: `bare`
    of nobody, `robot` and `robot-red` of the teams, `uma-blue`, `tess-blue` and `rita-red` of users in teams."""

    master: Client
    people: Mapping[str, Client]
    keys: Mapping[str, Client]

    def __getitem__(self, name: str) -> Client:
        if name == "master":
            return self.master
        return self.people[name] if name in self.people else self.keys[name]


async def tenants(gateway: TestGateway) -> Tenants:
    """Both tenants, made through the API."""
    master = Client(gateway, gateway.key)
    for organization, team in TEAMS.items():
        name = {"organization_id": organization}
        await master.good("POST", "/organization/new", {**name, "organization_alias": organization})
        await master.good("POST", "/team/new", {"team_id": team, "team_alias": team, **name})
    people = {}
    for user, (role, organization, of_organization, of_team) in USERS.items():
        home = {"organizations": [organization]} if organization is not None else {}
        made = await master.good("POST", "/user/new", {"user_id": user, "user_role": role, **home})
        people[user] = Client(gateway, made["key"], made.get("token") or made.get("token_id") or "")
        if organization is not None and of_organization != "internal_user":
            member = {"organization_id": organization, "user_id": user, "role": of_organization}
            await master.good("PATCH", "/organization/member_update", member)
        if organization is not None and of_team is not None:
            joins = {"team_id": TEAMS[organization], "member": {"user_id": user, "role": of_team}}
            await master.good("POST", "/team/member_add", joins)
    for user, role in BOUND.items():
        binding = {"principal": f"user:{user}", "role": role, "scope": "organization", "scope_id": "acme"}
        await master.good("POST", "/routeiq/v1/bindings", binding)
    keys = {}
    for name, fields in (
        ("bare", {}),
        ("robot", {"team_id": "blue"}),
        ("robot-red", {"team_id": "red"}),
        ("uma-blue", {"team_id": "blue", "user_id": "uma"}),
        ("tess-blue", {"team_id": "blue", "user_id": "tess"}),
        ("rita-red", {"team_id": "red", "user_id": "rita"}),
    ):
        made = await master.good("POST", "/key/generate", {**fields, "key_alias": name})
        keys[name] = Client(gateway, made["key"], made["token"])
    return Tenants(master, people, keys)
