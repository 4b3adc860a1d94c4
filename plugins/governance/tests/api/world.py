"""A client of the management API, and two tenants who must not see each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from routeiq_testkit.gateway import TestGateway


@dataclass(frozen=True)
class Answer:
    """A status and a JSON body."""

    status: int
    body: Any

    @property
    def error(self) -> dict[str, Any]:
        """The error object of a refused request."""
        error = self.body["error"]
        assert isinstance(error, dict)
        return error


class Client:
    """Calls a gateway with one key."""

    def __init__(self, gateway: TestGateway, key: str) -> None:
        self.gateway = gateway
        self.key = key

    async def as_user(self, user: str, **fields: Any) -> Client:
        """A client with the key of a new user."""
        made = await self.post("/user/new", user_id=user, **{"user_role": "internal_user", **fields})
        return Client(self.gateway, made["key"])

    async def ask(self, method: str, path: str, body: Any = None, **query: str) -> Answer:
        """One request, its answer as it is."""
        headers = {"authorization": f"Bearer {self.key}"}
        async with self.gateway.session.request(method, path, json=body, params=query, headers=headers) as response:
            return Answer(response.status, await response.json())

    async def post(self, path: str, **body: Any) -> Any:
        """A POST that must succeed; its body."""
        return _good(await self.ask("POST", path, body))

    async def patch(self, path: str, **body: Any) -> Any:
        """A PATCH that must succeed; its body."""
        return _good(await self.ask("PATCH", path, body))

    async def delete(self, path: str, **body: Any) -> Any:
        """A DELETE that must succeed; its body."""
        return _good(await self.ask("DELETE", path, body))

    async def get(self, path: str, **query: str) -> Any:
        """A GET that must succeed; its body."""
        return _good(await self.ask("GET", path, **query))

    async def refused(self, path: str, method: str = "POST", **body: Any) -> Answer:
        """A request with a body that must be refused by a 4xx."""
        answer = await self.ask(method, path, body)
        assert 400 <= answer.status < 500, (path, answer)
        return answer

    async def unread(self, path: str, **query: str) -> Answer:
        """A GET that must be refused by a 4xx."""
        answer = await self.ask("GET", path, **query)
        assert 400 <= answer.status < 500, (path, answer)
        return answer


def _good(answer: Answer) -> Any:
    assert answer.status == 200, answer
    return answer.body


@dataclass(frozen=True)
class World:
    """Organization `acme` with team `blue` (admin `tess`, member `uma`) and org admin `olga`; organization `rival` with
    team `red` (member `rita`) and org admin `rolf`; user `ina` is in no team and no organization."""

    master: Client
    olga: Client
    tess: Client
    uma: Client
    ina: Client
    rolf: Client
    rita: Client


async def build(gateway: TestGateway) -> World:
    """Both tenants, made through the API."""
    master = Client(gateway, gateway.key)
    for organization, team in (("acme", "blue"), ("rival", "red")):
        await master.post("/organization/new", organization_id=organization, organization_alias=organization.title())
        await master.post("/team/new", team_id=team, team_alias=team.title(), organization_id=organization)
    clients = {}
    for user in ("olga", "tess", "uma", "ina", "rolf", "rita"):
        made = await master.post("/user/new", user_id=user, user_email=f"{user}@example.com", user_role="internal_user")
        clients[user] = Client(gateway, made["key"])
    for organization, user, role in (
        ("acme", "olga", "org_admin"),
        ("acme", "tess", "internal_user"),
        ("acme", "uma", "internal_user"),
        ("rival", "rolf", "org_admin"),
        ("rival", "rita", "internal_user"),
    ):
        await master.post(
            "/organization/member_add", organization_id=organization, member={"user_id": user, "role": role}
        )
    await master.post("/team/member_add", team_id="blue", member={"user_id": "tess", "role": "admin"})
    await master.post("/team/member_add", team_id="blue", member={"user_id": "uma", "role": "user"})
    await master.post("/team/member_add", team_id="red", member={"user_id": "rita", "role": "user"})
    return World(master, **clients)
