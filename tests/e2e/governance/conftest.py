"""A whole gateway with governance on its embedded database, in front of a priced model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.pytest_plugin import StartGateway

PRICE = {"input_cost_per_token": "0.000001", "output_cost_per_token": "0.00001"}
"""1,000 nano-USD an input token, 10,000 an output token."""


@dataclass
class Governed:
    """A gateway and a client of its management routes."""

    gateway: TestGateway

    async def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, **query: str
    ) -> tuple[int, Any]:
        """One call; status and JSON body. `key` is the caller's, else the master key."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        async with self.gateway.session.request(method, path, json=body, params=query, headers=headers) as response:
            return response.status, await response.json()

    async def made(self, path: str, **body: Any) -> Any:
        """What the master key makes at `path`."""
        status, answer = await self.call("POST", path, body)
        assert status == 200, answer
        return answer

    async def chat(self, key: str, **fields: Any) -> tuple[int, Mapping[str, str], Any]:
        """One chat completion of `fast` with this key."""
        body = {"model": "fast", "messages": [{"role": "user", "content": "hello"}], **fields}
        headers = {"authorization": f"Bearer {key}"}
        async with self.gateway.session.post("/v1/chat/completions", json=body, headers=headers) as response:
            return response.status, response.headers, await response.json()

    async def stream(self, key: str, **fields: Any) -> tuple[int, bytes]:
        """One streamed chat completion of `fast` with this key."""
        body = {"model": "fast", "messages": [{"role": "user", "content": "hello"}], "stream": True, **fields}
        headers = {"authorization": f"Bearer {key}"}
        async with self.gateway.session.post("/v1/chat/completions", json=body, headers=headers) as response:
            return response.status, await response.read()


Govern = Callable[..., Awaitable[Governed]]


@pytest.fixture
def govern(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> Govern:
    """Start a gateway with this configuration of governance; other keywords are other sections."""

    async def start(*policies: Mapping[str, Any], plugin: Mapping[str, Any] | None = None, **changes: Any) -> Governed:
        block = dict(changes.pop("routeiq", {}))
        governance = {**(plugin or {}), **({"policies": list(policies)} if policies else {})}
        config = {
            "model_list": [openai_row("fast", scripted_upstream.base_url, **PRICE)],
            "router_settings": {"num_retries": 0},
            **changes,
            "routeiq": {**block, "plugins": {"governance": governance, **block.get("plugins", {})}},
        }
        return Governed(await gateway(config))

    return start
