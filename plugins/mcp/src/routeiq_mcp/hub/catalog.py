"""The tools of one server as they are offered: told the truth about, looked at by guards, pinned.

Who may use one of them is decided elsewhere, once a request.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from routeiq_mcp.hub.definitions import fault_of, hash_of
from routeiq_mcp.hub.lists import Listed
from routeiq_mcp.hub.pins import Pins
from routeiq_mcp.hub.server import PROTOCOL, Server
from routeiq_mcp.rows import PinnedTool
from routeiq_mcp.seams import Json
from routeiq_sdk import Context, Gateway, RequestError
from routeiq_sdk.values.tools import SERVER_METHODS, ToolDefinition

QUARANTINED = "its definition waits for an administrator's approval"
_CATALOGS = 512
_GUARDED = 50_000
_AT_ONCE = 32
_BREATH = 500


@dataclass(eq=False, slots=True)
class Catalog:
    """Tools by their own names, in the server's order, and those left out with the reason."""

    tools: Mapping[str, Json]
    left_out: Mapping[str, str]
    exposed: dict[str, Sequence[Json]] = field(default_factory=dict)

    def under(self, prefix: str) -> Sequence[Json]:
        """The definitions, each under its name with the prefix."""
        found = self.exposed.get(prefix)
        if found is None:
            found = [{**tool, "name": f"{prefix}{name}"} if prefix else tool for name, tool in self.tools.items()]
            self.exposed[prefix] = found
        return found


class Catalogs:
    """Makes catalogs of lists, and keeps those of lists that did not change."""

    def __init__(self, gateway: Gateway, pins: Pins) -> None:
        self._gateway = gateway
        self._pins = pins
        self._made: OrderedDict[tuple[int, str], tuple[object, tuple[Json, ...], Catalog]] = OrderedDict()
        self._guarded: OrderedDict[tuple[str, str], Json | str] = OrderedDict()

    async def of(self, ctx: Context, server: Server, listed: Listed) -> Catalog:
        """The catalog of a list of tools."""
        key = (id(listed.entries), server.name)
        made = self._made.get(key)
        if made is not None and made[0] is self._pins.of(server.id) and made[1] is listed.entries:
            self._made.move_to_end(key)
            return made[2]
        catalog = await self._make(ctx, server, listed.entries)
        self._made[key] = (self._pins.of(server.id), listed.entries, catalog)
        self._made.move_to_end(key)
        while len(self._made) > _CATALOGS:
            self._made.popitem(last=False)
        server.left_out = catalog.left_out
        return catalog

    async def _make(self, ctx: Context, server: Server, entries: Sequence[Json]) -> Catalog:
        left_out: dict[str, str] = {}
        usable: dict[str, Json] = {}
        for number, entry in enumerate(entries):
            fault = fault_of(entry)
            name = entry.get("name")
            label = name if isinstance(name, str) and name else f"#{number}"
            if fault is not None:
                left_out[label[:64]] = fault
            elif label in SERVER_METHODS:
                left_out[label] = "its name is that of a method of the protocol"
            elif label in usable:
                left_out[label[:64]] = "the server lists it twice"
            elif server.policy.offers(label):
                usable[label] = entry
        digests: dict[str, str] = {}
        for number, (name, entry) in enumerate(usable.items(), start=1):
            digests[name] = hash_of(entry)
            if number % _BREATH == 0:
                await asyncio.sleep(0)  # a long list is no reason to keep everybody waiting
        guarded = await self._look(ctx, server, usable, digests)
        for name in [name for name in usable if isinstance(guarded[name], str)]:
            left_out[name] = str(guarded[name])
            del digests[name]
        approved = await self._approved(server, usable, digests)
        tools = {name: guarded[name] for name in usable if name in approved}
        left_out.update((name, QUARANTINED) for name in digests if name not in approved)
        return Catalog(tools, left_out)  # type: ignore[arg-type]  # what is a text was left out

    async def _approved(self, server: Server, usable: Mapping[str, Json], digests: Mapping[str, str]) -> frozenset[str]:
        """Those that an administrator, the first sight or the operator's YAML approves."""
        pins = {name: pin for name in digests if (pin := server.policy.pin_of(name)) is not None}
        by_yaml = {name for name, pin in pins.items() if _is(usable[name], pin)}
        if server.source == "gateway":
            return frozenset(digests)  # the gateway's own servers change with the gateway
        judged = await self._pins.judge(server.id, {name: digests[name] for name in digests if name not in pins})
        return judged | by_yaml

    async def _look(
        self, ctx: Context, server: Server, usable: Mapping[str, Json], digests: Mapping[str, str]
    ) -> dict[str, Json | str]:
        """Each definition as guards let it pass, or the reason why they did not. Each is looked at once."""
        found: dict[str, Json | str] = {}
        missing: list[str] = []
        for name in usable:
            known = self._guarded.get((server.id, digests[name]))
            if known is None:
                missing.append(name)
            else:
                found[name] = known
        gate = asyncio.Semaphore(_AT_ONCE)

        async def look(name: str) -> None:
            async with gate:
                definition = ToolDefinition(PROTOCOL, server.name, name, usable[name])
                try:
                    told = await self._gateway.tools.guard_definition(ctx, definition)
                except RequestError as error:
                    found[name] = f"guards refused it: {error.message}"
                    if error.status >= 500:
                        return  # a guard that failed is asked again
                else:
                    found[name] = told if told.get("name") == name else {**told, "name": name}
                self._guarded[(server.id, digests[name])] = found[name]

        for start in range(0, len(missing), _AT_ONCE * 8):
            async with asyncio.TaskGroup() as tasks:
                for name in missing[start : start + _AT_ONCE * 8]:
                    tasks.create_task(look(name))
        while len(self._guarded) > _GUARDED:
            self._guarded.popitem(last=False)
        return found


def _is(tool: Json, pin: PinnedTool) -> bool:
    """Whether a tool is what the operator wrote."""
    if (tool.get("description") or None) != (pin.description or None):
        return False
    return pin.input_schema is None or tool.get("inputSchema") == pin.input_schema
