"""What servers say of themselves beside their tools (instructions, prompts, resources), as guards let it pass.

Definitions of tools, which are pinned as well, are `catalog`'s.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from routeiq_mcp.hub.conversation import heard_of_itself
from routeiq_mcp.hub.server import PROTOCOL, Server
from routeiq_mcp.seams import Json, ServerFacts
from routeiq_sdk import Context, Gateway, RequestError
from routeiq_sdk.values.tools import ToolDefinition

_LISTS = 512
_TEXTS = 50_000


class Looking:
    """Asks the guards, once for each text. What a guard refuses is not there."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._seen: OrderedDict[tuple[str, str, str], Json | None] = OrderedDict()
        self._lists: OrderedDict[tuple[int, str, str], tuple[object, tuple[Json, ...]]] = OrderedDict()

    async def entries(self, ctx: Context, server: Server, method: str, entries: tuple[Json, ...]) -> tuple[Json, ...]:
        """The entries of a list that may be read, in their order; `method` is what such an entry is used with."""
        key = (id(entries), server.id, method)
        known = self._lists.get(key)
        if known is not None and known[0] is entries:
            self._lists.move_to_end(key)
            return known[1]
        passed: list[Json] = []
        whole = True
        for entry in entries:
            told, final = await self._look(ctx, server, method, entry)
            whole &= final
            if told is not None:
                passed.append(told)
        result = tuple(passed)
        if whole:
            self._lists[key] = (entries, result)
            _bounded(self._lists, _LISTS)
        return result

    async def facts(self, ctx: Context, server: Server) -> ServerFacts:
        """What a server says of itself, with its names and titles as guards let them pass. Raises what the server
        raises, in words that they let pass."""
        asking = server.upstream.facts(ctx)
        facts = await heard_of_itself(self._gateway.tools, ctx, server.name, "server/discover", asking)
        if not facts.info:
            return facts
        told, _ = await self._look(ctx, server, "server/discover", {"serverInfo": facts.info})
        info = told.get("serverInfo") if told is not None else None
        return replace(facts, info=info if isinstance(info, Mapping) else {})

    async def instructions(self, ctx: Context, server: Server, text: str | None) -> str | None:
        """Instructions for models, if a guard does not refuse them."""
        if not text:
            return None
        told, _ = await self._look(ctx, server, "server/discover", {"instructions": text})
        found = told.get("instructions") if told is not None else None
        return found if isinstance(found, str) else None

    async def _look(self, ctx: Context, server: Server, method: str, told: Json) -> tuple[Json | None, bool]:
        """What is left of it, and whether that is final: a guard that failed is asked again."""
        digest = hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)).hexdigest()
        key = (server.id, method, digest)
        if key in self._seen:
            self._seen.move_to_end(key)
            return self._seen[key], True
        passed: Json | None
        try:
            passed = await self._gateway.tools.guard_definition(
                ctx, ToolDefinition(PROTOCOL, server.name, method, told)
            )
        except RequestError as error:
            if error.status >= 500:
                return None, False
            passed = None
        self._seen[key] = passed
        _bounded(self._seen, _TEXTS)
        return passed, True


def _bounded(kept: OrderedDict[Any, Any], most: int) -> None:
    while len(kept) > most:
        kept.popitem(last=False)
