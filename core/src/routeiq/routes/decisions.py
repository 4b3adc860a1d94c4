"""Decision records: one by its id, many by what they are like, from all workers. Admins only.

How long they are kept is told at `Records`; durable ones are an audit plugin's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import orjson

from routeiq.request.record import as_json
from routeiq.request.search import MOST, Search, together
from routeiq.routes.exchange import Exchange
from routeiq.routes.llm import CHAT
from routeiq.routes.table import Route
from routeiq_sdk import RequestError
from routeiq_sdk.values.http import HttpResponse

_NDJSON = "application/x-ndjson"


def routes() -> Iterator[Route]:
    """Both under `/routeiq/v1/decisions`."""
    yield Route("GET", "/routeiq/v1/decisions", _search, "admin", "Search decision records", CHAT, "decision:read")
    yield Route("GET", "/routeiq/v1/decisions/{id}", _decision, "admin", "One decision record", CHAT, "decision:read")


async def _search(exchange: Exchange) -> None:
    search = _read(exchange.query())
    shared = exchange.runtime.shared
    pages = [await shared.decisions(asdict(search)), *await shared.ask("decisions", asdict(search))]
    rows = together(pages, search.limit)
    if _NDJSON in (exchange.ctx.headers.get("accept") or ""):
        body = b"".join(orjson.dumps(row, default=str) + b"\n" for row in rows)
        await exchange.respond(HttpResponse(200, body, media_type=_NDJSON))
        return
    last = rows[-1] if len(rows) == search.limit else None
    after = f"{last['at']}:{last['request_id']}" if last is not None else None
    await exchange.json({"data": rows, "next": after})


async def _decision(exchange: Exchange) -> None:
    wanted = exchange.params["id"]
    shared = exchange.runtime.shared
    record = shared.records.find(wanted)
    if record is not None:
        await exchange.json(as_json(record))
        return
    for found in await shared.ask("decision", wanted):
        if found is not None:
            await exchange.json(found)
            return
    raise RequestError(404, f"No worker keeps the decision {wanted}. Each keeps its newest 2000.")


def _read(query: Mapping[str, str]) -> Search:
    told: dict[str, Any] = {}
    for name, value in query.items():
        read = _PARAMETERS.get(name)
        if read is None:
            raise RequestError(
                400, f"There is no parameter {name!r}; there are {', '.join(sorted(_PARAMETERS))}.", param=name
            )
        try:
            told[_FIELDS.get(name, name)] = read(value)
        except ValueError as error:
            raise RequestError(400, f"{name}={value!r} is not understood: {error}", param=name) from None
    return Search(**told)


def _limit(text: str) -> int:
    limit = int(text)
    if not 1 <= limit <= MOST:
        raise ValueError(f"a number from 1 to {MOST} is wanted")
    return limit


def _moment(text: str) -> int:
    at = datetime.fromisoformat(text)
    return int((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() * 1e9)


def _place(text: str) -> tuple[int, str]:
    at, _, request_id = text.partition(":")
    if not request_id:
        raise ValueError("`next` of the page before is wanted")
    return int(at), request_id


def _nano(text: str) -> int:
    return int(float(text) * 1e9)


_PARAMETERS: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(
        ("model", "requested_model", "strategy", "principal", "team", "user", "tag", "error_type", "stage"), str
    ),
    "status": int,
    "min_ms": float,
    "min_cost_usd": _nano,
    "since": _moment,
    "until": _moment,
    "after": _place,
    "limit": _limit,
}
_FIELDS = {"min_cost_usd": "min_cost"}
