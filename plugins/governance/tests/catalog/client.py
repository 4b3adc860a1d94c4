"""A client of the management routes, and of models, with one key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway


@dataclass(frozen=True)
class Client:
    """Calls a gateway. `upstream` is the provider behind its models."""

    gateway: TestGateway
    upstream: ScriptedUpstream
    key: str

    async def ask(self, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Any]:
        """One request; status and JSON body."""
        headers = {"authorization": f"Bearer {self.key}"}
        async with self.gateway.session.request(method, path, json=body, params=query, headers=headers) as response:
            return response.status, await response.json() if response.status != 204 else None

    async def ok(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """The body of a request that must succeed."""
        status, answer = await self.ask(method, path, body, **query)
        assert status < 300, (path, status, answer)
        return answer

    async def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Status and message of a request that must be refused."""
        status, answer = await self.ask(method, path, body)
        assert 400 <= status < 500, (path, status, answer)
        return status, answer["error"]["message"]

    async def chat(self, model: str) -> int:
        """The status of one chat completion."""
        body = {"model": model, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 5}
        return (await self.ask("POST", "/v1/chat/completions", body))[0]

    async def add(self, name: str, **changes: Any) -> Any:
        """Add a model at the scripted upstream; parameters by their names, `info` is its `model_info`."""
        info = changes.pop("info", {})
        return await self.ok("POST", "/model/new", self.row(name, info=info, **changes))

    def row(self, name: str, *, info: Any = None, **params: Any) -> dict[str, Any]:
        """The body of `/model/new`."""
        told = {"model": "openai/scripted", "api_base": self.upstream.base_url, "api_key": "sk-upstream-secret-1234"}
        return {"model_name": name, "litellm_params": {**told, **params}, "model_info": info or {}}

    async def models(self) -> dict[str, Any]:
        """The rows of `/model/info` by name."""
        return {row["model_name"]: row for row in (await self.ok("GET", "/model/info"))["data"]}

    def with_key(self, key: str) -> Client:
        """The same gateway, another key."""
        return Client(self.gateway, self.upstream, key)
