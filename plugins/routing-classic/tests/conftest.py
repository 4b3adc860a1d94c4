"""A gateway with this plugin, and the official client before it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest_asyncio
from openai import AsyncOpenAI

from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.pytest_plugin import StartGateway


class Served:
    """A running gateway and a client of it that repeats nothing by itself."""

    def __init__(self, gateway: TestGateway, client: AsyncOpenAI) -> None:
        self.gateway = gateway
        self.client = client

    async def ask(self, text: str = "hello", model: str = "m", **options: Any) -> str:
        """One chat completion; its text."""
        answer = await self.client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": text}], **options
        )
        return str(answer.choices[0].message.content)

    async def stream(self, text: str = "hello", model: str = "m", **options: Any) -> str:
        """One streamed chat completion; its text."""
        chunks = await self.client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": text}], stream=True, **options
        )
        return "".join([choice.delta.content or "" async for chunk in chunks for choice in chunk.choices])


Serve = Callable[..., Awaitable[Served]]


@pytest_asyncio.fixture
async def serve(gateway: StartGateway) -> AsyncIterator[Serve]:
    """Starts a gateway with rows and keys of `router_settings`."""
    async with AsyncExitStack() as stack:

        async def start(rows: list[dict[str, Any]], **router_settings: Any) -> Served:
            running = await gateway(
                {
                    "model_list": rows,
                    "router_settings": {"num_retries": 0, **router_settings},
                    "routeiq": {"plugins": {"routing-classic": {}}},
                }
            )
            client = AsyncOpenAI(base_url=f"{running.url}/v1", api_key=running.key, max_retries=0)
            await stack.enter_async_context(client)
            return Served(running, client)

        yield start
