"""Finds the one server that holds all of our keys (alone, through sentinels, in a cluster) and opens a line to it.

Every key has the same hash tag, so a cluster keeps them in one slot: a script sees them all. What happens when the
server goes away is decided in `redis_link`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from redis.exceptions import NoPermissionError, ResponseError

from routeiq.state.redis_line import CALL_SECONDS, Line, LineLost, open_line
from routeiq.state.redis_url import Address, RedisPlace

_SENTINEL_SECONDS = 0.3


class RedisServers:
    """The servers of a place. `tag` begins every key."""

    def __init__(self, place: RedisPlace) -> None:
        self.place = place
        self.tag = f"{{{place.prefix}}}"
        self._seeds = list(place.hosts)

    async def open(self) -> Line:
        """A line to the server that has our keys and may write, with its identity. Raises `LineLost`."""
        line = await open_line(await self.find(), tls=self.place.tls)
        try:
            line.identity = await identity(line)
            # A cluster that is down or moved the slot says so to the first key.
            await line.ask("EXISTS", self.tag)
        except ResponseError as refusal:
            await line.aclose()
            raise LineLost(str(refusal), refused=isinstance(refusal, NoPermissionError)) from None
        except BaseException:
            await line.aclose()
            raise
        return line

    async def find(self) -> Mapping[str, Any]:
        """How to connect to that server. Raises `LineLost`."""
        if self.place.path:
            return {**self.place.login, "path": self.place.path, "db": self.place.db}
        if self.place.mode == "single":
            return self._options(self.place.hosts[0])
        reason = LineLost("nobody answers", sent=False)
        for seed in tuple(self._seeds):
            try:
                found = await (self._ask_sentinel(seed) if self.place.mode == "sentinel" else self._ask_node(seed))
            except LineLost as lost:
                reason = lost
            except ResponseError as refusal:
                reason = LineLost(str(refusal))
            else:
                return self._options(found)
        raise reason

    def _options(self, address: Address) -> dict[str, Any]:
        host, port = address
        return {**self.place.login, "host": host, "port": port, "db": self.place.db}

    async def _ask_sentinel(self, seed: Address) -> Address:
        options = {**self.place.sentinel_login, "host": seed[0], "port": seed[1]}
        async with self._asking(options) as line:
            named = await line.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.place.service, seconds=_SENTINEL_SECONDS)
        if not named:
            raise LineLost(f"the sentinels know no service {self.place.service!r}")
        # Who answered is asked first the next time.
        self._seeds.remove(seed)
        self._seeds.insert(0, seed)
        return named[0].decode(), int(named[1])

    async def _ask_node(self, seed: Address) -> Address:
        async with self._asking(self._options(seed)) as line:
            slot = await line.ask("CLUSTER", "KEYSLOT", self.tag)
            ranges = await line.ask("CLUSTER", "SLOTS")
        found = None
        for first, last, primary, *_ in ranges:
            # A node that does not know its own name leaves it out.
            address = (primary[0].decode() if primary[0] else seed[0], int(primary[1]))
            if address not in self._seeds:
                self._seeds.append(address)
            if first <= slot <= last:
                found = address
        if found is None:
            raise LineLost("no node of the cluster serves our slot")
        return found

    @asynccontextmanager
    async def _asking(self, options: Mapping[str, Any]) -> AsyncIterator[Line]:
        line = await open_line(options, tls=self.place.tls, seconds=_SENTINEL_SECONDS)
        try:
            yield line
        finally:
            await line.aclose()


async def identity(line: Line) -> str:
    """What the meters' mark is compared with: this process of the server, and the history that it writes.

    A restart changes the first; a replica that is promoted begins a history of its own. Raises `LineLost`, also when
    the server is a replica.
    """
    told: dict[str, str] = {}
    for section in ("server", "replication"):
        lines = (await line.ask("INFO", section, seconds=CALL_SECONDS)).decode().splitlines()
        told |= dict(entry.split(":", 1) for entry in lines if ":" in entry)
    if told.get("role", "master") != "master":
        raise LineLost("the server is a replica")
    return f"{told.get('run_id', '')}:{told.get('master_replid', '')}"
