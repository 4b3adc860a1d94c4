"""LiteLLM's routes about guardrails: which there are, and what one makes of a text.

Guards themselves are plugins; who may call the routes is the table's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from routeiq.request import gates
from routeiq.routes.exchange import Exchange
from routeiq.routes.llm import CHAT
from routeiq.routes.table import Route
from routeiq_sdk import Reject, RequestError

_LONGEST = 1024 * 1024


def routes() -> Iterator[Route]:
    """Listing them tells no option and no secret."""
    for path in ("/guardrails/list", "/v2/guardrails/list"):
        yield Route("GET", path, _list, "key", "The guardrails of this gateway", CHAT, "guardrail:read")
    for path in ("/guardrails/apply_guardrail", "/apply_guardrail"):
        yield Route("POST", path, _apply, "key", "What a guardrail makes of a text", CHAT, "guardrail:apply")


async def _list(exchange: Exchange) -> None:
    rows = [row for row in exchange.runtime.config.extra.get("guardrails") or () if isinstance(row, Mapping)]
    await exchange.json({"guardrails": [_shown(row) for row in rows]})


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    params = row.get("litellm_params")
    told = params if isinstance(params, Mapping) else {}
    return {
        "guardrail_name": row.get("guardrail_name"),
        "litellm_params": {name: told.get(name) for name in ("guardrail", "mode", "default_on")},
        "guardrail_info": row.get("guardrail_info"),
    }


async def _apply(exchange: Exchange) -> None:
    name, text = _read(await exchange.body())
    services, ctx = exchange.runtime.services, exchange.ctx
    calls = services.pipeline.apply_guard
    answer: Any = None
    if calls:
        async with gates.Stage(calls, ctx, services.errors) as stage:
            for call in stage:
                answer = await gates.ask(call, ctx, name, text)
                if answer is not None:
                    break
    if answer is None:
        raise RequestError(
            404, f"There is no guardrail {name!r}; GET /guardrails/list names them.", param="guardrail_name"
        )
    if isinstance(answer, Reject):
        raise gates.refusal(answer)
    await exchange.json({"response_text": answer})


def _read(raw: bytes) -> tuple[str, str]:
    try:
        told = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise RequestError(400, "The body is no JSON.") from None
    found: list[str] = []
    for field in ("guardrail_name", "text"):
        value = told.get(field) if isinstance(told, dict) else None
        if not isinstance(value, str) or not value:
            raise RequestError(400, f"{field!r} must be a text.", param=field)
        found.append(value)
    if len(found[1]) > _LONGEST:
        raise RequestError(413, f"'text' is longer than {_LONGEST} characters.", param="text")
    return found[0], found[1]
