"""Processes die, stores forget: what was accepted stays, what is held comes back, and ledger and store agree."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from routeiq_governance.ledger.entry import Entry, Taken, unpacked
from routeiq_governance.quotas import hold as holds
from routeiq_governance.quotas import live
from routeiq_governance.quotas.hold import Hold
from routeiq_governance.store.tables import meters
from routeiq_testkit import Reply, ScriptedUpstream, Usage
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.servers.valkey import ValkeyServer

from .conftest import Govern
from .world import INPUT, OUTPUT, PRICE, Governed

DAY = {"unit": "usd", "window": "day"}
ONE = 10 * INPUT + 50 * OUTPUT


def served(upstream: ScriptedUpstream) -> None:
    upstream.default = Reply.chat("x", usage=Usage(10, 50))


async def abandoned(governed: Governed, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch) -> str:
    """A call under way whose process dies: nobody settles it, and its lease is over at once. Its request id."""
    for module in (holds, live):
        monkeypatch.setattr(module, "LEASE_SECONDS", 0.0)
    quotas = governed.parts.quotas
    died = asyncio.Event()

    async def dying(*_: Any) -> None:
        died.set()

    with monkeypatch.context() as patched:
        patched.setattr(quotas, "_settle", dying)
        upstream.script(Reply.hang())
        hanging = asyncio.ensure_future(governed.chat(max_tokens=50))
        await upstream.until_requests(1)
        (id,) = quotas._live._holds
        hanging.cancel()
        await asyncio.wait_for(died.wait(), 10)
    return id


async def _nothing(*_: Any) -> None:
    """What a process does that was killed."""


async def test_a_call_whose_process_died_is_charged_what_was_held_for_it(
    govern: Govern, scripted_upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    governed = await govern({"id": "p", "scope": {}, "limit": 1, **DAY})
    request = await abandoned(governed, scripted_upstream, monkeypatch)
    quotas = governed.parts.quotas
    held = quotas._live._holds[request].money()
    assert held is not None
    await quotas._sweeper.sweep(quotas._opened)
    assert await governed.agree() == held > 50 * OUTPUT
    (row,) = await governed.get("/spend/logs", request_id=request)
    assert (row["status"], row["metadata"]["estimated"], row["model_group"]) == ("failure", True, "fast")
    await quotas._sweeper.sweep(quotas._opened)
    assert await governed.agree() == held, "swept once"


async def test_what_a_process_settled_after_all_is_set_right_in_ledger_and_store(
    govern: Govern, scripted_upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    governed = await govern({"id": "p", "scope": {}, "limit": 1, **DAY})
    request = await abandoned(governed, scripted_upstream, monkeypatch)
    quotas = governed.parts.quotas
    await quotas._sweeper.sweep(quotas._opened)
    guessed = await governed.agree()
    hold = quotas._live._holds[request]
    (meter,) = hold.rules
    await governed.parts.ledger.take(_told(hold, cost=ONE, meter=meter))
    assert await governed.agree() == ONE < guessed
    (row,) = await governed.get("/spend/logs", request_id=request)
    assert row["spend_nano_usd"] == ONE


def _told(hold: Hold, *, cost: int, meter: str) -> list[Entry]:
    """What really happened: a first attempt failed, a second one was served."""
    (skeleton,) = unpacked(hold.note)
    first = msgspec.structs.replace(skeleton, outcome="error", status=500, detail={})
    told = {"attempt": 2, "outcome": "ok", "status": 200, "cost": cost, "meters": (Taken(meter, cost),), "detail": {}}
    return [first, msgspec.structs.replace(skeleton, **told)]


async def test_a_new_process_knows_what_was_spent_before(tmp_path: Path, scripted_upstream: ScriptedUpstream) -> None:
    served(scripted_upstream)
    config = {
        "model_list": [openai_row("fast", scripted_upstream.base_url, "model-fast", **PRICE)],
        "routeiq": {"plugins": {"governance": {"policies": [{"scope": {}, "limit": 2 * ONE / 1e9, **DAY}]}}},
    }
    async with TestGateway(tmp_path, config) as first:
        governed = Governed(first)
        assert (await governed.chat(max_tokens=50)).status == 200
        await governed.settled()
    async with TestGateway(tmp_path, config) as second:
        governed = Governed(second)
        assert await governed.agree() == ONE
        statuses = [(await governed.chat(max_tokens=50)).status for _ in range(3)]
        assert statuses[-1] == 422
        assert await governed.agree() <= 2 * ONE


async def test_what_was_accepted_and_not_settled_is_settled_by_the_next_process(
    tmp_path: Path, scripted_upstream: ScriptedUpstream, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    served(scripted_upstream)
    config = {
        "model_list": [openai_row("fast", scripted_upstream.base_url, "model-fast", **PRICE)],
        "routeiq": {
            "state": {"url": valkey.url},
            "plugins": {"governance": {"policies": [{"scope": {}, "limit": 1, **DAY}]}},
        },
    }
    async with TestGateway(tmp_path, config) as first:
        governed = Governed(first)
        quotas, ledger = governed.parts.quotas, governed.parts.ledger
        assert (await governed.chat(max_tokens=50)).status == 200
        assert await governed.agree() == ONE
        settle = quotas._settle

        async def killed(ctx: Any, asked: Any) -> None:
            """Killed between the spool and everything else."""
            asked.hold.asked = False
            await settle(ctx, asked)

        monkeypatch.setattr(quotas, "_settle", killed)
        monkeypatch.setattr(ledger, "_write_some", _nothing)
        assert (await governed.chat(max_tokens=50)).status == 200
        await first.app.shared.background.finish(10)  # type: ignore[union-attr]
        (hold,) = quotas._live._holds.values()
        ((taken, held),) = (await governed.levels(*hold.rules)).values()
        assert taken == ONE + held > 2 * ONE
    monkeypatch.undo()
    async with TestGateway(tmp_path, config) as second:
        governed = Governed(second)
        assert await governed.agree() == 2 * ONE
        assert await governed.levels(*hold.rules) == dict.fromkeys(hold.rules, (2 * ONE, 0))


async def test_a_store_that_forgot_everything_is_filled_from_the_ledger_with_what_is_under_way(
    govern: Govern, scripted_upstream: ScriptedUpstream, valkey: ValkeyServer
) -> None:
    served(scripted_upstream)
    governed = await govern({"id": "p", "scope": {}, "limit": 1, **DAY}, routeiq={"state": {"url": valkey.url}})
    for _ in range(3):
        assert (await governed.chat(max_tokens=50)).status == 200
    assert await governed.agree() == 3 * ONE
    scripted_upstream.script(Reply.chat("x", usage=Usage(10, 50)).delayed(1.5))
    waiting = asyncio.ensure_future(governed.chat(max_tokens=50))
    await scripted_upstream.until_requests(4)
    (hold,) = governed.parts.quotas._live._holds.values()
    valkey.flush()
    assert (await governed.chat(max_tokens=50)).status == 200, "asks until the meters are back"
    levels = await governed.levels(*hold.rules)
    assert all(held >= hold.held[meter] for meter, (_, held) in levels.items()), "what is under way is held again"
    assert (await waiting).status == 200
    assert await governed.agree() == 5 * ONE


async def test_money_waits_for_a_store_that_is_away_and_rates_pass_a_part(
    govern: Govern, scripted_upstream: ScriptedUpstream, valkey: ValkeyServer
) -> None:
    served(scripted_upstream)
    governed = await govern(routeiq={"state": {"url": valkey.url}})
    paid, rated, free = await governed.key(max_budget=1), await governed.key(rpm_limit=8), await governed.key()
    for key in (paid, rated, free):
        assert (await governed.chat(key)).status == 200
    await governed.settled()
    valkey.kill()
    refused = await governed.chat(paid)
    assert (refused.status, refused.error["type"]) == (503, "quota_store_unavailable")
    assert refused.headers["retry-after"] == "1"
    statuses = [(await governed.chat(rated)).status for _ in range(6)]
    assert statuses == [200] * 4 + [503] * 2, "half of what it would be, since other gateways may do the same"
    assert [(await governed.chat(free)).status for _ in range(3)] == [200] * 3


async def test_rates_can_be_told_to_refuse_while_the_store_is_away(
    govern: Govern, scripted_upstream: ScriptedUpstream, valkey: ValkeyServer
) -> None:
    governed = await govern(
        routeiq={"state": {"url": valkey.url}}, general_settings={"fail_closed_rate_limit_enforcement": True}
    )
    key = await governed.key(rpm_limit=8)
    assert (await governed.chat(key)).status == 200
    await governed.settled()
    valkey.kill()
    assert (await governed.chat(key)).status == 503


async def test_two_gateways_share_a_cap(
    govern: Govern, scripted_upstream: ScriptedUpstream, valkey: ValkeyServer
) -> None:
    scripted_upstream.default = Reply.chat("x", usage=Usage(10, 50)).delayed(0.02)
    cap = 10 * ONE
    policy = {"id": "shared", "scope": {}, "limit": cap / 1e9, **DAY}
    two = [await govern(policy, routeiq={"state": {"url": valkey.url}}) for _ in range(2)]
    answers = await asyncio.gather(*(each.chat(max_tokens=50) for each in two for _ in range(20)))
    assert {answer.status for answer in answers} == {200, 422}
    for each in two:
        await each.settled()
    spent = sum(answer.cost for answer in answers if answer.status == 200)
    (meter,) = {name for each in two for name in await _meters(each)}
    assert await two[0].levels(meter) == {meter: (spent, 0)}
    assert spent <= cap


async def _meters(governed: Governed) -> list[str]:
    async with governed.parts.database.read() as connection:
        names = (await connection.execute(select(meters.c.meter))).scalars().all()
    return [name for name in names if not name.startswith("seed")]
