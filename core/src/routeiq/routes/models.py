"""`/v1/models`: what may be asked for.

What a name stands for is the catalogue's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from routeiq.routes.exchange import Exchange
from routeiq.routes.llm import CHAT
from routeiq.routes.table import Route
from routeiq_sdk import ModelGroup, RequestError

_CREATED = 1677610602  # LiteLLM's constant; clients compare it


def routes() -> Iterator[Route]:
    """The list and one entry, with and without `/v1`."""
    for prefix in ("/v1", ""):
        yield Route("GET", f"{prefix}/models", _list, "key", "Models that may be asked for", CHAT, "model:list")
        yield Route("GET", f"{prefix}/models/{{model:path}}", _one, "key", "One model", CHAT, "model:list")


async def _list(exchange: Exchange) -> None:
    entries = _entries(exchange)
    if exchange.ctx.headers.get("anthropic-version") is not None:
        data = [
            {"type": "model", "id": e["id"], "display_name": e["id"], "created_at": "2023-02-28T18:56:42Z"}
            for e in entries
        ]
        first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
        await exchange.json({"data": data, "has_more": False, "first_id": first, "last_id": last})
        return
    await exchange.json({"data": entries, "object": "list"})


async def _one(exchange: Exchange) -> None:
    wanted = exchange.params["model"]
    for entry in _entries(exchange):
        if entry["id"] == wanted:
            await exchange.json(entry)
            return
    raise RequestError(404, f"The model {wanted!r} does not exist or may not be used with this key.", param="model")


def _entries(exchange: Exchange) -> list[dict[str, Any]]:
    runtime, principal = exchange.runtime, exchange.ctx.identified
    entries = [_entry(item.name, item.group) for item in runtime.catalog.listed()]
    entries += [_entry(name, None) for name in runtime.virtual_models]
    return [entry for entry in entries if principal is None or principal.may_use(entry["id"])]


def _entry(name: str, group: ModelGroup | None) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": name, "object": "model", "created": _CREATED, "owned_by": "openai"}
    if group is not None:
        entry["mode"] = group.deployments[0].mode
        limits = [d.max_input_tokens for d in group.deployments if d.max_input_tokens is not None]
        if limits:
            entry["max_input_tokens"] = min(limits)
    return entry
