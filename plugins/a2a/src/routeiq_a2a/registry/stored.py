"""Rows of agents that were added while the gateway runs: kept in the state store, sealed, known to all replicas.

Who may change them is decided by whoever calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from routeiq_a2a.litellm import LitellmAgent
from routeiq_a2a.registry.agent import Agent
from routeiq_a2a.registry.rows import of_row
from routeiq_a2a.sealing import Sealer, Unsealable
from routeiq_sdk import Gateway, StoreUnavailable

_TABLE = "a2a.agents"
_CHANNEL = "a2a.agents"
_AGAIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Stored:
    """A row as it was written, with when and by whom."""

    id: str
    body: Mapping[str, Any]
    created_at: str
    updated_at: str
    created_by: str
    updated_by: str

    def agent(self) -> Agent:
        """The agent that it makes. Nobody but the admin API vouches for its address. Raises `ValueError`."""
        return of_row(LitellmAgent.model_validate(dict(self.body)), self.id, untrusted=True)


class StoredAgents:
    """The rows, read once and again whenever a replica says that they changed."""

    def __init__(self, gateway: Gateway, sealer: Sealer) -> None:
        self._gateway = gateway
        self._sealer = sealer
        self._rows: dict[str, Stored] = {}
        self._agents: dict[str, Agent] = {}
        self.unreadable = 0

    def rows(self) -> Mapping[str, Stored]:
        """The rows by id."""
        return self._rows

    def agents(self) -> Mapping[str, Agent]:
        """The agents by id."""
        return self._agents

    async def refresh(self) -> None:
        """Read all rows again."""
        rows: dict[str, Stored] = {}
        agents: dict[str, Agent] = {}
        unreadable = 0
        async for id, sealed in self._gateway.state.scan(_TABLE):
            try:
                row = Stored(**orjson.loads(self._sealer.open(sealed, f"{_TABLE}/{id}")))
                agents[id] = row.agent()
            except (Unsealable, ValueError, TypeError):
                unreadable += 1
                continue
            rows[id] = row
        self._rows, self._agents, self.unreadable = rows, agents, unreadable

    async def save(self, row: Stored) -> None:
        """Write a row."""
        plain = orjson.dumps({name: getattr(row, name) for name in Stored.__slots__})
        await self._gateway.state.put(_TABLE, row.id, self._sealer.seal(plain, f"{_TABLE}/{row.id}"))
        await self._changed(row.id)

    async def remove(self, id: str) -> bool:
        """Delete a row; says whether there was one."""
        there = await self._gateway.state.delete(_TABLE, id)
        await self._changed(id)
        return there

    async def follow(self) -> None:
        """Read the rows again when another replica changed them, and from time to time."""
        while True:
            try:
                async with self._gateway.state.subscribe(_CHANNEL) as changes:
                    while True:
                        try:
                            async with asyncio.timeout(_AGAIN_SECONDS):
                                await anext(changes)
                        except TimeoutError:
                            break  # a message may have been lost: subscribe again and look
                        await self.refresh()
                await self.refresh()
            except (StoreUnavailable, StopAsyncIteration, OSError):
                await asyncio.sleep(1.0)

    async def _changed(self, id: str) -> None:
        await self.refresh()
        await self._gateway.state.publish(_CHANNEL, id.encode())
