"""Decision records: one by its id, many by what they are like, from all workers. Admins only.

How long they are kept is told at `Records`; durable ones are an audit plugin's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import orjson

from routeiq.request.record import KEPT
from routeiq.request.search import MOST, Search, together
from routeiq.routes.exchange import Exchange
from routeiq.routes.llm import CHAT
from routeiq.routes.table import Route
from routeiq_sdk import RequestError
from routeiq_sdk.values.http import HttpResponse

_NDJSON = "application/x-ndjson"
_LARGEST = 2**63 - 1
"""What the JSON between workers carries."""


def routes() -> Iterator[Route]:
    """Both under `/routeiq/v1/decisions`."""
    yield Route("GET", "/routeiq/v1/decisions", _search, "admin", "Search decision records", CHAT, "decision:read")
    yield Route("GET", "/routeiq/v1/decisions/{id}", _decision, "admin", "One decision record", CHAT, "decision:read")


async def _search(exchange: Exchange) -> None:
    asked = exchange.query()
    search = _read(asked)
    shared = exchange.runtime.shared
    pages = [await shared.decisions(asdict(search)), *await shared.ask("decisions", asdict(search))]
    rows = together(pages, search.limit)
    after = f"{rows[-1]['at']}:{rows[-1]['request_id']}" if len(rows) == search.limit else None
    if _NDJSON in (exchange.ctx.headers.get("accept") or ""):
        body = b"".join(orjson.dumps(row, default=str) + b"\n" for row in rows)
        headers = {"link": f'<?{urlencode({**asked, "after": after})}>; rel="next"'} if after is not None else {}
        await exchange.respond(HttpResponse(200, body, headers, _NDJSON))
        return
    await exchange.json({"data": rows, "next": after})


async def _decision(exchange: Exchange) -> None:
    wanted = exchange.params["id"]
    shared = exchange.runtime.shared
    found = await shared.decision(wanted)
    if found is None:  # then another worker may have served it
        found = next((told for told in await shared.ask("decision", wanted) if told is not None), None)
    if found is None:
        raise RequestError(404, f"No worker keeps the decision {wanted}. Each keeps its newest {KEPT}.")
    await exchange.json(found)


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


def _whole(text: str) -> int:
    return _bounded(int(text))


def _bounded(number: int) -> int:
    if abs(number) > _LARGEST:
        raise ValueError("a smaller value is wanted")
    return number


def _limit(text: str) -> int:
    limit = int(text)
    if not 1 <= limit <= MOST:
        raise ValueError(f"a number from 1 to {MOST} is wanted")
    return limit


def _moment(text: str) -> int:
    at = datetime.fromisoformat(text)
    return _bounded(round((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() * 1e6) * 1000)


def _place(text: str) -> tuple[int, str]:
    at, _, request_id = text.partition(":")
    if not request_id:
        raise ValueError("`next` of the page before is wanted")
    return _whole(at), request_id


def _number(text: str) -> float:
    number = float(text)
    if not abs(number) < 1e15:  # no number at all neither
        raise ValueError("a smaller value is wanted")
    return number


def _nano(text: str) -> int:
    return _bounded(round(_number(text) * 1e9))


_PARAMETERS: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(
        ("model", "requested_model", "strategy", "principal", "team", "user", "tag", "error_type", "stage"), str
    ),
    "status": _whole,
    "min_ms": _number,
    "min_cost_usd": _nano,
    "since": _moment,
    "until": _moment,
    "after": _place,
    "limit": _limit,
}
_FIELDS = {"min_cost_usd": "min_cost"}
