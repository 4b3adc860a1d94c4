"""A client of the management routes and of the models, with one key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from routeiq_testkit.gateway import TestGateway


@dataclass(frozen=True)
class Client:
    """Calls a gateway with a key."""

    gateway: TestGateway
    key: str

    async def ask(self, method: str, path: str, body: Any = None, query: Any = ()) -> tuple[int, Any]:
        """One request; status and JSON body."""
        headers = {"authorization": f"Bearer {self.key}"}
        asked = self.gateway.session.request(method, path, json=body, params=query, headers=headers)
        async with asked as response:
            return response.status, await response.json()

    async def post(self, path: str, **body: Any) -> Any:
        """A POST that must succeed; its body."""
        status, answer = await self.ask("POST", path, body)
        assert status == 200, answer
        return answer

    async def get(self, path: str, **query: str) -> Any:
        """A GET that must succeed; its body."""
        status, answer = await self.ask("GET", path, query=query)
        assert status == 200, answer
        return answer

    async def refused(self, path: str, body: Mapping[str, Any], *, query: Sequence[tuple[str, str]] = ()) -> Any:
        """A POST (a GET, with a query) that must be refused; status, type and param of the error."""
        status, answer = await (self.ask("GET", path, query=query) if query else self.ask("POST", path, body))
        assert 400 <= status < 500, answer
        return status, answer["error"]["type"], answer["error"]["param"]

    async def chat(self, model: str = "fast", **fields: Any) -> int:
        """One chat completion; its status."""
        body = {"model": model, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 5, **fields}
        return (await self.ask("POST", "/v1/chat/completions", body))[0]

    async def make(self, **body: Any) -> Any:
        """A new key, as it is told."""
        return await self.post("/key/generate", **body)

    def with_key(self, key: str) -> Client:
        """The same gateway, called with another key."""
        return Client(self.gateway, key)

    async def as_user(self, user: str, **fields: Any) -> Client:
        """A client with the key of a new user."""
        made = await self.post("/user/new", user_id=user, **{"user_role": "internal_user", **fields})
        return self.with_key(made["key"])
