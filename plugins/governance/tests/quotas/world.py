"""A gateway with governance in front of priced models, and hands on the parts that quotas are made of."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select

from routeiq_governance.parts import Parts
from routeiq_governance.store.tables import entries, meters
from routeiq_testkit.gateway import TestGateway

INPUT, OUTPUT = 1_000, 10_000
"""Nano-USD a token of `fast`; `dear` costs ten times as much."""
PRICE = {"input_cost_per_token": "0.000001", "output_cost_per_token": "0.00001"}
DEAR = {"input_cost_per_token": "0.00001", "output_cost_per_token": "0.0001"}
NANO = Decimal(10) ** 9


def nano(dollars: Any) -> int:
    """The exact nano-USD of a figure in an answer."""
    return int((Decimal(str(dollars)) * NANO).to_integral_value())


@dataclass
class Answer:
    """What a client got."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def error(self) -> Any:
        """The error object."""
        return self.body["error"]

    @property
    def cost(self) -> int:
        """What it cost, in nano-USD."""
        return nano(self.headers["x-litellm-response-cost"])


@dataclass
class Governed:
    """A gateway, its governance, and a client."""

    gateway: TestGateway
    events: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        handle = self.parts.quotas._opened
        handle.emit = self.events.append  # type: ignore[method-assign]

    @property
    def parts(self) -> Parts:
        """Its parts."""
        (found,) = (m.instance for m in self.gateway.runtime.plugins.members if m.name == "governance")
        parts: Parts = found._parts  # type: ignore[attr-defined]
        return parts

    async def made(self, path: str, **body: Any) -> Any:
        """What the master key makes at `path`."""
        async with self.gateway.session.post(path, json=body) as response:
            answer = await response.json()
            assert response.status == 200, answer
            return answer

    async def key(self, **fields: Any) -> str:
        """A new key."""
        made = await self.made("/key/generate", **fields)
        return str(made["key"])

    async def get(self, path: str, **query: str) -> Any:
        """What the master key reads."""
        async with self.gateway.session.get(path, params=query) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def chat(self, key: str | None = None, text: str = "hello", **fields: Any) -> Answer:
        """One chat completion of `fast`."""
        body = {"model": "fast", "messages": [{"role": "user", "content": text}], **fields}
        return await self.post("/v1/chat/completions", body, key)

    async def post(self, path: str, body: Any, key: str | None = None) -> Answer:
        """One call."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        async with self.gateway.session.post(path, json=body, headers=headers) as response:
            raw = await response.read()
            parsed = await response.json() if "json" in response.content_type else raw
            return Answer(response.status, response.headers, parsed)

    async def settled(self) -> None:
        """Wait until everything that was answered is settled and written."""
        await self.gateway.app.shared.background.finish(10)  # type: ignore[union-attr]
        await self.parts.ledger.flush()

    async def levels(self, *names: str) -> dict[str, tuple[int, int]]:
        """What the store's meters stand at, and what is held of it."""
        found = await self.parts.quotas._opened.meters.levels(names)
        return {name: (level.taken, level.held) for name, level in zip(names, found, strict=True)}

    async def agree(self) -> int:
        """The store's meters are those of the ledger, and nothing is held; the ledger's sum of costs."""
        await self.settled()
        async with self.parts.database.read() as connection:
            rows = (await connection.execute(select(meters))).all()
            spent = (await connection.execute(select(func.sum(entries.c.cost)))).scalar() or 0
        written = {row.meter: row.amount for row in rows if not row.meter.startswith("seed")}
        assert await self.levels(*written) == {name: (amount, 0) for name, amount in written.items()}
        return int(spent)

    async def until(self, held: int) -> None:
        """Wait until so many holds are open in this process."""
        async with asyncio.timeout(10):
            while len(self.parts.quotas._live._holds) != held:
                await asyncio.sleep(0.005)
