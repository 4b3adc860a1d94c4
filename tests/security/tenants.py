"""Two tenants of one gateway, made through its API, and clients of it that may be refused.

What each attack is, is written in the tests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from routeiq_testkit.gateway import TestGateway

MARK = "rival-canary-71c4"
"""In all that the tenant `rival` wrote down: nobody else may ever read it."""
CHAT = {"model": "fast", "messages": [{"role": "user", "content": "hello"}]}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.text)


@dataclass(frozen=True)
class Client:
    """Calls a gateway with one key; `id` is the hash by which the key is named."""

    gateway: TestGateway
    key: str
    id: str = ""

    async def ask(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None, **query: str
    ) -> Answer:
        """One request and its answer, whatever it is."""
        told = {"authorization": f"Bearer {self.key}", **(headers or {})}
        session = self.gateway.session
        async with session.request(
            method, path, json=body, params=query, headers=told, allow_redirects=False
        ) as response:
            return Answer(response.status, dict(response.headers), (await response.read()).decode(errors="replace"))

    async def good(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """The body of an answer that must be good."""
        answer = await self.ask(method, path, body, **query)
        assert answer.status in (200, 201), (method, path, answer)
        return answer.json

    async def chat(self, **fields: Any) -> Answer:
        """One chat completion."""
        return await self.ask("POST", "/v1/chat/completions", {**CHAT, **fields})

    async def key_with(self, **fields: Any) -> Client:
        """A client with a new key that has these fields."""
        made = await self.good("POST", "/key/generate", fields)
        return Client(self.gateway, made["key"], made["token"])


def client_of(gateway: TestGateway) -> Client:
    """The holder of the master key."""
    return Client(gateway, gateway.key)


@dataclass(frozen=True)
class Tenants:
    """`acme` with `olga` (organization's admin), `tess` (admin of team `blue`), `uma` (member of it) and the keys
    `uma-blue`, `robot` and `bare` (of nobody); `rival` with `rolf`, `rita` (member of team `red`), `rita-red`."""

    master: Client
    people: Mapping[str, Client]

    def __getitem__(self, name: str) -> Client:
        return self.people[name]


async def two_tenants(gateway: TestGateway) -> Tenants:
    """Both."""
    master = client_of(gateway)
    for organization, team, mark in (("acme", "blue", "acme"), ("rival", "red", MARK)):
        await master.good(
            "POST",
            "/organization/new",
            {"organization_id": organization, "organization_alias": f"{mark}-org", "metadata": {"note": mark}},
        )
        await master.good(
            "POST",
            "/team/new",
            {
                "team_id": team,
                "team_alias": f"{mark}-team",
                "organization_id": organization,
                "metadata": {"note": mark},
            },
        )
    people: dict[str, Client] = {}
    for user, organization, role in (
        ("olga", "acme", "org_admin"),
        ("tess", "acme", "internal_user"),
        ("uma", "acme", "internal_user"),
        ("rolf", "rival", "org_admin"),
        ("rita", "rival", "internal_user"),
    ):
        mark = MARK if organization == "rival" else "acme"
        made = await master.good(
            "POST",
            "/user/new",
            {
                "user_id": user,
                "user_role": "internal_user",
                "user_alias": f"{mark}-{user}",
                "organizations": [organization],
            },
        )
        people[user] = Client(gateway, made["key"], made.get("token") or made.get("token_id") or "")
        if role == "org_admin":
            lifted = {"organization_id": organization, "user_id": user, "role": role}
            await master.good("PATCH", "/organization/member_update", lifted)
    for user, team, role in (("tess", "blue", "admin"), ("uma", "blue", "user"), ("rita", "red", "user")):
        await master.good("POST", "/team/member_add", {"team_id": team, "member": {"user_id": user, "role": role}})
    for name, fields in (
        ("bare", {}),
        ("robot", {"team_id": "blue"}),
        ("uma-blue", {"team_id": "blue", "user_id": "uma"}),
        ("rita-red", {"team_id": "red", "user_id": "rita", "metadata": {"note": MARK}}),
    ):
        mark = MARK if "red" in name else "acme"
        people[name] = await master.key_with(key_alias=f"{mark}-{name}", **fields)
    return Tenants(master, people)
