"""What calls of tools cost and count for: budgets hold their price, limits their number, and the ledger tells of each.

The caller is a small plugin that calls tools down the gateway's own road.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from routeiq_governance.identity.caller import Caller, Entity
from routeiq_governance.ledger.entry import unpacked
from routeiq_governance.quotas import hold as holds
from routeiq_governance.quotas import live
from routeiq_governance.quotas.tools import rates_of
from routeiq_governance.store.schema import upgrade
from routeiq_sdk.values.tools import ToolCall
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.servers import PostgresServer
from routeiq_testkit.servers.valkey import ValkeyServer

from .conftest import Govern
from .world import Answer, Governed

CALLER = """
from __future__ import annotations
import asyncio
from typing import Any
from routeiq_sdk import *
from routeiq_sdk.values.http import HttpResponse
from routeiq_sdk.values.tools import ToolCall, ToolResult

class Conf(PluginConfig):
    pass

class Fixture(Plugin[Conf]):
    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        self.gateway, self.running, self.go = gateway, 0, asyncio.Event()

    @hookimpl
    def register_routes(self, routes: Any) -> None:
        routes.add("POST", "/tool/{name}", self.serve, access="key", summary="Call a tool", action="tool:call")

    async def serve(self, request: Any) -> HttpResponse:
        async def run(call: ToolCall) -> ToolResult:
            self.running += 1
            if call.tool == "broken":
                raise ValueError("broken")
            if call.tool == "slow":
                await self.go.wait()
            return ToolResult({"content": []}, is_error=call.tool == "failing")

        told = request.json()
        tool = request.path_params["name"]
        call = ToolCall(told.get("protocol", "mcp"), told.get("server", "files"), tool, {}, price=told.get("price", 0))
        return HttpResponse.json(dict((await self.gateway.tools.call(request.context, call, run)).content))
"""
CENT = 10_000_000
Start = Callable[..., Awaitable[Governed]]


@pytest.fixture
def start(govern: Govern, plugin_folder: PluginFolder) -> Start:
    """A gateway with governance and the calling plugin."""
    plugin_folder.install("caller", CALLER)

    async def started(*policies: Mapping[str, Any], **changes: Any) -> Governed:
        block = dict(changes.pop("routeiq", {}))
        plugins = {**block.pop("plugins", {}), "caller": {}}
        return await govern(*policies, routeiq={**block, "plugins": plugins}, **changes)

    return started


def calling(governed: Governed) -> Any:
    """The living plugin."""
    members = governed.gateway.runtime.plugins.members
    return next(member.instance for member in members if member.name == "caller")


async def call(governed: Governed, key: str | None, tool: str = "read", **told: Any) -> Answer:
    return await governed.post(f"/tool/{tool}", told, key)


async def rows(governed: Governed) -> list[dict[str, Any]]:
    await governed.settled()
    found: list[dict[str, Any]] = await governed.get("/spend/logs")
    return found


async def test_a_priced_call_is_spent_by_everything_behind_the_caller(start: Start) -> None:
    governed = await start()
    await governed.made("/team/new", team_id="core", max_budget=1)
    await governed.made("/user/new", user_id="uma", max_budget=1)
    key = await governed.key(max_budget=1, team_id="core", user_id="uma")
    assert (await call(governed, key, price=CENT)).status == 200
    assert await governed.agree() == CENT
    (row,) = await governed.get("/spend/logs")
    assert (row["call_type"], row["model"], row["mcp_namespaced_tool_name"], row["spend_nano_usd"], row["status"]) == (
        "call_mcp_tool",
        "MCP: read",
        "files/read",
        CENT,
        "success",
    )
    assert row["litellm_call_id"].endswith("-tool-1")
    assert (await governed.get("/key/info", key=key))["info"]["spend"] == 0.01
    assert (await governed.get("/team/info", team_id="core"))["team_info"]["spend"] == 0.01
    assert (await governed.get("/user/info", user_id="uma"))["user_info"]["spend"] == 0.01
    assert (await governed.get("/global/spend"))["spend"] == 0.01


@pytest.mark.parametrize(("tool", "status"), [("read", 200), ("failing", 200), ("broken", 500)])
async def test_a_call_that_reached_its_server_is_paid_however_it_ended(start: Start, tool: str, status: int) -> None:
    governed = await start()
    key = await governed.key(max_budget=1)
    assert (await call(governed, key, tool, price=CENT)).status == status
    (row,) = await rows(governed)
    assert (row["status"], row["spend_nano_usd"]) == ("success" if tool == "read" else "failure", CENT)
    assert await governed.agree() == CENT


async def test_an_agents_call_is_told_in_its_own_words(start: Start) -> None:
    governed = await start()
    await call(governed, await governed.key(), "SendMessage", protocol="a2a", server="planner", price=CENT)
    (row,) = await rows(governed)
    assert (row["call_type"], row["model_group"], row["custom_llm_provider"], row["mcp_namespaced_tool_name"]) == (
        "asend_message",
        "A2A: planner/SendMessage",
        "a2a",
        None,
    )


async def test_of_a_hundred_calls_at_once_on_a_budget_for_ten_ten_pass(start: Start) -> None:
    governed = await start()
    key = await governed.key(max_budget=0.1)
    answers = await asyncio.gather(*(call(governed, key, price=CENT) for _ in range(100)))
    passed = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status != 200]
    assert (len(passed), calling(governed).running) == (10, 10)
    assert {(answer.status, answer.error["type"]) for answer in refused} == {(422, "budget_exceeded")}
    assert await governed.agree() == 10 * CENT
    assert len(await rows(governed)) == 10


async def test_tools_and_models_are_paid_from_one_budget(start: Start) -> None:
    governed = await start()
    first, second = await governed.key(max_budget=0.01), await governed.key(max_budget=0.01)
    assert (await call(governed, first, price=CENT)).status == 200
    assert (await governed.chat(first)).error["type"] == "budget_exceeded"
    assert (await governed.chat(second)).status == 200
    assert (await call(governed, second, price=CENT)).error["type"] == "budget_exceeded"
    assert (await call(governed, second)).status == 200, "what is free is no matter of money"


async def test_a_budget_of_everybody_and_a_policy_hold_for_tools_too(start: Start) -> None:
    governed = await start({"id": "all", "scope": {}, "unit": "usd", "window": "day", "limit": 0.02})
    key = await governed.key()
    statuses = [(await call(governed, key, price=CENT)).status for _ in range(3)]
    assert statuses == [200, 200, 422]
    assert await governed.agree() == 2 * CENT


async def test_calls_a_minute_are_counted_by_server(start: Start) -> None:
    governed = await start()
    key = await governed.key(mcp_rpm_limit={"files": 2})
    answers = [await call(governed, key) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 429, 429]
    assert answers[2].error["type"] == "throttling_error"
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60
    assert (await call(governed, key, server="other")).status == 200
    assert (await call(governed, key, protocol="a2a")).status == 200
    assert len(await rows(governed)) == 4
    await governed.agree()


async def test_a_hundred_calls_at_once_cannot_pass_the_rate_of_a_team(start: Start) -> None:
    governed = await start()
    await governed.made("/team/new", team_id="core", mcp_rpm_limit={"files": 7})
    keys = [await governed.key(team_id="core") for _ in range(2)]
    answers = await asyncio.gather(*(call(governed, keys[number % 2]) for number in range(100)))
    assert sorted(answer.status for answer in answers) == [200] * 7 + [429] * 93
    assert calling(governed).running == 7


async def test_requests_a_minute_are_those_of_models_and_tools_together(start: Start) -> None:
    governed = await start()
    key = await governed.key(rpm_limit=3)
    assert [(await call(governed, key)).status for _ in range(2)] == [200] * 2
    assert (await governed.chat(key)).status == 200
    assert (await governed.chat(key)).status == 429
    refused = await call(governed, key, protocol="a2a")
    assert (refused.status, refused.error["type"]) == (429, "throttling_error")
    await governed.agree()


async def test_a_policy_with_a_burst_paces_calls_of_tools(start: Start) -> None:
    policy = {"id": "burst", "scope": {}, "limit": 1, "unit": "requests", "window": "minute", "burst": 2}
    governed = await start(policy)
    key = await governed.key()
    answers = [await call(governed, key) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["retry-after"]) >= 1


async def test_a_free_call_without_limits_asks_no_store_and_is_told(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    governed = await start()
    key = await governed.key(max_budget=1, tpm_limit=5, max_parallel_requests=5)
    meters = governed.parts.quotas._opened.meters

    async def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("the store was asked")

    for name in ("reserve", "settle"):
        monkeypatch.setattr(meters, name, never)
    assert (await call(governed, key)).status == 200
    (row,) = await rows(governed)
    assert (row["spend_nano_usd"], row["mcp_namespaced_tool_name"]) == (0, "files/read")


async def test_a_call_whose_process_died_is_charged_and_nothing_stays_held(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (holds, live):
        monkeypatch.setattr(module, "LEASE_SECONDS", 0.0)
    governed = await start()
    key = await governed.key(max_budget=1)
    quotas = governed.parts.quotas
    died = asyncio.Event()

    async def dying(*_: Any) -> None:
        died.set()

    monkeypatch.setattr(quotas.tools, "_settle", dying)
    waiting = asyncio.ensure_future(call(governed, key, "slow", price=CENT))
    await governed.until(1)
    ((id, hold),) = quotas._live._holds.items()
    assert [entry.model for entry in unpacked(hold.note)] == ["MCP: slow"]
    calling(governed).go.set()
    await waiting
    await asyncio.wait_for(died.wait(), 10)
    await quotas._sweeper.sweep(quotas._opened)
    assert await governed.agree() == CENT
    (row,) = await governed.get("/spend/logs", request_id=id)
    assert (row["status"], row["spend_nano_usd"], row["mcp_namespaced_tool_name"]) == ("failure", CENT, "files/slow")
    await quotas._sweeper.sweep(quotas._opened)
    assert await governed.agree() == CENT, "swept once"


async def test_the_same_holds_on_valkey_and_postgresql(
    start: Start, valkey: ValkeyServer, postgres: PostgresServer
) -> None:
    database = await postgres.database()
    engine = create_async_engine(database.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
    await engine.dispose()
    secret = {"governance": {"encryption_key": "a secret of the tests alone"}}
    governed = await start(
        routeiq={"state": {"url": valkey.url}, "plugins": secret}, general_settings={"database_url": database}
    )
    key = await governed.key(max_budget=0.1, mcp_rpm_limit={"counted": 3})
    answers = await asyncio.gather(*(call(governed, key, price=CENT) for _ in range(40)))
    assert sorted(answer.status for answer in answers) == [200] * 10 + [422] * 30
    counted = await asyncio.gather(*(call(governed, key, server="counted") for _ in range(9)))
    assert sorted(answer.status for answer in counted) == [200] * 3 + [429] * 6
    assert await governed.agree() == 10 * CENT
    valkey.kill()
    away = await call(governed, key, price=CENT)
    assert (away.status, away.error["type"]) == (503, "quota_store_unavailable")


def test_the_tightest_of_a_servers_names_counts_and_no_others() -> None:
    told = {"mcp_rpm_limit": {"files": 9, "id-7": 3, "other": 1}}
    caller = Caller("key", entities=(Entity("key", "k", settings=told), Entity("team", "t", settings={})))
    asked = ToolCall("mcp", "files", "read", {}, aliases=frozenset({"id-7"}))
    (rule,) = rates_of(caller, None, asked, "closed")
    assert (rule.id, rule.limit, rule.subject) == ("key:k:mcp-rpm:files", 3, "api_key")
    assert list(rates_of(caller, None, ToolCall("mcp", "else", "read", {}), "closed")) == []
    assert list(rates_of(caller, None, ToolCall("a2a", "files", "read", {}), "closed")) == []
