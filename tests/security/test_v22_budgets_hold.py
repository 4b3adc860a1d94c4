"""V22: whoever means to spend more than a key may does not get there: at once, in streams, by leaving, by lying."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

from routeiq_testkit import Reply, ScriptedUpstream

from .conftest import Govern
from .tenants import CHAT, Client, client_of

CAP = Decimal("0.01")
NANO = Decimal(10) ** 9


async def one(key: Client, number: int, **fields: Any) -> int:
    """One way to ask, each in turn; its status, 0 for a client that left."""
    way = number % 6
    body = {**CHAT, "max_tokens": 40, **fields}
    if way == 1:
        body["stream"] = True
    elif way == 2:
        body["max_tokens"] = 10**9
    elif way == 3:
        del body["max_tokens"]
    elif way == 4:
        body |= {"n": 5, "max_tokens": 8}
    session, headers = key.gateway.session, {"authorization": f"Bearer {key.key}"}
    async with session.post("/v1/chat/completions", json=body, headers=headers) as response:
        if way == 5:
            return 0  # leaves at once
        await response.read()
        return response.status


async def spent(running: Any, key: Client) -> int:
    await running.app.shared.background.finish(5)
    info = (await client_of(running).good("GET", "/key/info", key=key.id))["info"]
    return int((Decimal(str(info["spend"])) * NANO).to_integral_value())


async def test_many_at_once_in_every_way_stay_below_the_cap(
    govern: Govern, scripted_upstream: ScriptedUpstream
) -> None:
    running = await govern()
    key = await client_of(running).key_with(max_budget=float(CAP))
    scripted_upstream.default_for("scripted-model", Reply.fitting().delayed(0.02))
    statuses = await asyncio.gather(*(one(key, number) for number in range(90)))
    assert 200 in statuses
    assert {422} & set(statuses), "the cap was reached"
    assert 0 < await spent(running, key) <= int(CAP * NANO)
    rows = await client_of(running).good("GET", "/spend/logs", api_key=key.id)
    assert sum(Decimal(str(row["spend"])) for row in rows) <= CAP


async def test_no_field_of_the_request_makes_it_cheaper(govern: Govern, scripted_upstream: ScriptedUpstream) -> None:
    running = await govern()
    key = await client_of(running).key_with(max_budget=0.0000001)
    lies: list[dict[str, Any]] = [
        {"max_tokens": 0},
        {"max_tokens": -1},
        {"max_completion_tokens": -5},
        {"n": 0},
        {"n": -3},
        {"input_cost_per_token": 0, "output_cost_per_token": 0},
        {"model_info": {"input_cost_per_token": 0}},
        {"metadata": {"spend": -5, "user_api_key_spend": -5, "cost": 0}},
        {"litellm_metadata": {"spend": -5}},
        {"response_cost": -1},
        {"mock_response": "free"},
        {"usage": {"prompt_tokens": -1000}},
        {"stream": True, "stream_options": {"include_usage": False}},
        {"user": "somebody-else"},
    ]
    wrong = []
    for fields in lies:
        answer = await key.chat(**{"max_tokens": 50, **fields})
        if answer.status < 400:
            wrong.append((fields, answer.status))
    assert not wrong, wrong
    assert scripted_upstream.requests == []


async def test_a_provider_that_lies_about_usage_does_not_give_money_back(
    govern: Govern, scripted_upstream: ScriptedUpstream
) -> None:
    running = await govern()
    key = await client_of(running).key_with(max_budget=1)
    assert (await key.chat(max_tokens=5)).status == 200
    before = await spent(running, key)
    body = {
        "id": "x", "object": "chat.completion", "created": 1, "model": "scripted-model",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}],
    }  # fmt: skip
    for usage in (
        {"prompt_tokens": -(10**9), "completion_tokens": -(10**9), "total_tokens": -2 * 10**9},
        {"prompt_tokens": "1e9", "completion_tokens": None, "total_tokens": []},
        {"prompt_tokens": 1.5, "completion_tokens": True, "total_tokens": 10**30},
        {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 10**12}},
        None,
    ):
        scripted_upstream.script(Reply.json({**body, "usage": usage}))
        answer = await key.chat(max_tokens=5)
        assert answer.status in (200, 502), (usage, answer)
        now = await spent(running, key)
        assert now >= before, (usage, json.dumps(answer.json)[:200])
        before = now
    assert before <= 10**9, "and what it made up is bounded by what was held for the request"
