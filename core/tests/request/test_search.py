"""Search among decision records, through the route: what fits, pages, wrong parameters."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from routeiq.request.search import Search, together
from routeiq_sdk import Candidate, Decision
from routeiq_sdk.testing.fakes import make_record
from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.pytest_plugin import StartGateway

RECORD = {
    "group": "fast",
    "model": "gpt-fast",
    "requested_model": "auto",
    "decision": Decision("learned", (Candidate("fast", 1.0),)),
    "principal": "k1",
    "team": "t1",
    "user": "u1",
    "tags": ("a", "b"),
    "status": 429,
    "error_type": "budget_exceeded",
    "stage": "reserve",
    "cost": 5_000,
    "latency_ms": 250.0,
    "at": 1_000,
}


@pytest.mark.parametrize(
    ("search", "other"),
    [
        ({"model": "fast"}, {"model": "slow"}),
        ({"model": "gpt-fast"}, {"model": "gpt"}),
        ({"requested_model": "auto"}, {"requested_model": "fast"}),
        ({"strategy": "learned"}, {"strategy": "static"}),
        ({"principal": "k1", "team": "t1", "user": "u1"}, {"principal": "k1", "team": "t2"}),
        ({"tag": "b"}, {"tag": "c"}),
        ({"status": 429, "error_type": "budget_exceeded"}, {"status": 200}),
        ({"stage": "reserve"}, {"stage": "route"}),
        ({"min_cost": 5_000}, {"min_cost": 5_001}),
        ({"min_ms": 250.0}, {"min_ms": 251.0}),
        ({"since": 1_000, "until": 1_000}, {"since": 1_001}),
        ({"until": 2_000}, {"until": 999}),
        ({"after": (1_001, "")}, {"after": (1_000, "req")}),
    ],
)
def test_each_condition_keeps_and_drops(search: dict[str, Any], other: dict[str, Any]) -> None:
    record = make_record("req-x", **RECORD)
    assert Search(**search).fits(record)
    assert not Search(**other).fits(record)


def test_pages_of_workers_become_one() -> None:
    rows = [[{"at": at, "request_id": str(at)} for at in ats] for ats in ((5, 3, 1), (4, 2))]
    assert [row["at"] for row in together(rows, 4)] == [5, 4, 3, 2]


async def served(gateway: StartGateway, upstream: ScriptedUpstream, count: int) -> TestGateway:
    rows = [openai_row(name, upstream.base_url) for name in ("a", "b")]
    running = await gateway({"model_list": rows})
    for number in range(count):
        await running.chat("ab"[number % 2])
    await running.recorded(count)
    return running


async def test_the_route_pages_newest_first(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> None:
    running = await served(gateway, scripted_upstream, 5)
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        async with running.session.get("/routeiq/v1/decisions", params={"limit": "2", **after}) as answer:
            told = await answer.json()
        seen += [row["request_id"] for row in told["data"]]
        if told["next"] is None:
            break
        after = {"after": told["next"]}
    assert seen == [record.request_id for record in running.records()]


async def test_the_route_finds_by_model_and_tells_lines(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    running = await served(gateway, scripted_upstream, 4)
    headers = {"accept": "application/x-ndjson"}
    async with running.session.get("/routeiq/v1/decisions", params={"model": "a"}, headers=headers) as answer:
        lines = (await answer.read()).splitlines()
    assert [orjson.loads(line)["group"] for line in lines] == ["a", "a"]
    assert orjson.loads(lines[0])["trace"]["trace_id"]


async def test_lines_tell_where_the_next_page_is(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> None:
    running = await served(gateway, scripted_upstream, 3)
    headers = {"accept": "application/x-ndjson"}
    seen: list[str] = []
    path: Any = "/routeiq/v1/decisions?limit=2"
    while path:
        async with running.session.get(path, headers=headers) as answer:
            seen += [orjson.loads(line)["request_id"] for line in (await answer.read()).splitlines()]
            path = answer.links["next"]["url"].relative() if "next" in answer.links else None
    assert seen == [record.request_id for record in running.records()]


async def test_refused_requests_are_found_by_where_they_ended(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    running = await served(gateway, scripted_upstream, 1)
    await running.chat("unknown")
    await running.recorded(2)
    query = {"stage": "route", "requested_model": "unknown", "since": "2020-01-01", "status": "400"}
    async with running.session.get("/routeiq/v1/decisions", params=query) as answer:
        (row,) = (await answer.json())["data"]
    assert (row["error_type"], row["attempts"], row["stage"]) == ("invalid_request_error", [], "route")


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"modle": "a"}, "no parameter 'modle'"),
        ({"status": "ok"}, "status='ok'"),
        ({"since": "yesterday"}, "since='yesterday'"),
        ({"limit": "1000"}, "from 1 to 100"),
        ({"after": "x"}, "`next` of the page before"),
        ({"after": "1" * 30 + ":x"}, "a smaller value"),
        ({"status": "9" * 30}, "a smaller value"),
        ({"since": "0001-01-01"}, "a smaller value"),
        ({"min_cost_usd": "1e300"}, "a smaller value"),
        ({"min_cost_usd": "inf"}, "a smaller value"),
        ({"min_ms": "nan"}, "a smaller value"),
        ({"limit": "0"}, "from 1 to 100"),
    ],
)
async def test_a_wrong_parameter_is_named(gateway: StartGateway, params: dict[str, str], told: str) -> None:
    running = await gateway({"model_list": []})
    async with running.session.get("/routeiq/v1/decisions", params=params) as answer:
        assert answer.status == 400
        error = (await answer.json())["error"]
        assert told in error["message"]
        assert error["param"] == next(iter(params))
