"""Money of calls that last or move on: streams, retries, fallbacks."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from routeiq_testkit import Reply, ScriptedUpstream, Usage

from .conftest import Govern
from .world import INPUT, OUTPUT, Governed

DAY = {"unit": "usd", "window": "day"}


async def stream(governed: Governed, **fields: Any) -> list[dict[str, Any]]:
    body = {"model": "fast", "messages": [{"role": "user", "content": "hello"}], "stream": True, **fields}
    async with governed.gateway.session.post("/v1/chat/completions", json=body) as response:
        assert response.status == 200
        raw = (await response.read()).decode()
    return [json.loads(line[6:]) for line in raw.splitlines() if line.startswith("data: {")]


async def test_a_stream_tops_up_as_it_runs_and_settles_what_the_provider_told(
    govern: Govern, scripted_upstream: ScriptedUpstream
) -> None:
    governed = await govern({"scope": {}, "limit": 1, **DAY}, plugin={"stream_slice": 64})
    scripted_upstream.script(Reply.stream(["word "] * 400, usage=Usage(9, 400), gap=0.0005))
    parts = []
    meters = governed.parts.quotas._opened.meters
    reserve = meters.reserve

    async def counted(*args: Any, **kwargs: Any) -> Any:
        parts.append(kwargs.get("most"))
        return await reserve(*args, **kwargs)

    meters.reserve = counted  # type: ignore[method-assign]
    events = await stream(governed)
    assert "error" not in events[-1]
    assert parts[0] == 64
    assert len(parts) > 10
    assert scripted_upstream.requests[-1].json["max_completion_tokens"] == 16_384
    assert await governed.agree() == 9 * INPUT + 400 * OUTPUT


async def test_a_stream_is_cut_before_the_money_is_gone(govern: Govern, scripted_upstream: ScriptedUpstream) -> None:
    governed = await govern({"id": "small", "scope": {}, "limit": 0.01, **DAY}, plugin={"stream_slice": 64})
    scripted_upstream.script(Reply.stream(["word "] * 5000, gap=0.0005, usage=False))
    events = await stream(governed)
    assert events[-1]["error"]["type"] == "budget_exceeded"
    assert "small" in events[-1]["error"]["message"]
    said = sum(len(event["choices"][0]["delta"].get("content") or "") for event in events[:-1] if "choices" in event)
    assert said > 300
    assert 0 < await governed.agree() <= 10_000_000
    (row,) = await governed.get("/spend/logs")
    assert row["metadata"]["estimated"]
    assert row["overrun_nano_usd"] == 0


async def test_a_client_that_leaves_pays_what_passed(govern: Govern, scripted_upstream: ScriptedUpstream) -> None:
    governed = await govern({"scope": {}, "limit": 1, **DAY})
    scripted_upstream.script(Reply.stream(["word "] * 1000, gap=0.005))
    body = {"model": "fast", "messages": [{"role": "user", "content": "hello"}], "stream": True}
    async with governed.gateway.session.post("/v1/chat/completions", json=body) as response:
        for _ in range(12):
            await response.content.readuntil(b"\n\n")
    (record,) = await governed.gateway.recorded()
    await governed.until(0)
    spent = await governed.agree()
    assert spent == record.cost
    (row,) = await governed.get("/spend/logs")
    assert 10 <= row["completion_tokens"] < 500
    assert row["status"] == "failure"


async def test_what_a_provider_bills_beyond_what_was_asked_is_a_row_of_its_own(
    govern: Govern, scripted_upstream: ScriptedUpstream
) -> None:
    governed = await govern({"scope": {}, "limit": 1, **DAY})
    scripted_upstream.script(Reply.chat("x", usage=Usage(10, 5000)))
    answer = await governed.chat(max_tokens=10)
    assert await governed.agree() == answer.cost == 10 * INPUT + 5000 * OUTPUT
    (row,) = await governed.get("/spend/logs")
    assert row["spend_nano_usd"] == answer.cost
    assert 0 < row["overrun_nano_usd"] < answer.cost
    assert row["overrun_nano_usd"] > 4900 * OUTPUT


FALL_BACK = {"router_settings": {"num_retries": 0, "fallbacks": [{"fast": ["dear"]}]}}


async def test_a_dearer_fallback_tops_up_before_it_is_called(
    govern: Govern, scripted_upstream: ScriptedUpstream
) -> None:
    governed = await govern({"scope": {}, "limit": 0.5, **DAY}, **FALL_BACK)
    scripted_upstream.script_for("model-fast", Reply.error(500))
    scripted_upstream.script_for("model-dear", Reply.chat("x", usage=Usage(10, 90)))
    answer = await governed.chat(max_tokens=100)
    assert answer.status == 200
    assert await governed.agree() == 10 * (10 * INPUT + 90 * OUTPUT)
    (row,) = await governed.get("/spend/logs")
    assert (row["metadata"]["attempts"], row["model_group"], row["overrun_nano_usd"]) == (2, "dear", 0)


async def test_a_fallback_that_cannot_be_paid_is_not_called(
    govern: Govern, scripted_upstream: ScriptedUpstream
) -> None:
    governed = await govern({"scope": {}, "limit": 0.002, **DAY}, **FALL_BACK)
    scripted_upstream.script_for("model-fast", Reply.error(500))
    answer = await governed.chat(max_tokens=100)
    assert (answer.status, answer.error["type"]) == (422, "budget_exceeded")
    assert [request.json["model"] for request in scripted_upstream.requests] == ["model-fast"]
    assert await governed.agree() == 0


async def test_the_quota_of_a_fallbacks_model_holds(govern: Govern, scripted_upstream: ScriptedUpstream) -> None:
    policy = {"scope": {"model": "dear"}, "limit": 1, "unit": "requests", "window": "day"}
    governed = await govern(policy, **FALL_BACK)
    scripted_upstream.default_for("model-fast", Reply.error(500))
    assert [(await governed.chat()).status for _ in range(2)] == [200, 429]
    await governed.agree()


async def test_the_quota_of_a_model_that_routing_ranked_behind_holds(
    govern: Govern, scripted_upstream: ScriptedUpstream
) -> None:
    policy = {"scope": {"model": "dear"}, "limit": 0, **DAY}
    virtual = {"auto": {"models": ["fast", "dear"], "default_model": "fast"}}
    rules = {"rules": [{"when": {"any_words": ["hello"]}, "model": "fast"}]}
    governed = await govern(policy, routeiq={"virtual_models": virtual, "plugins": {"routing-rules": rules}})
    scripted_upstream.default_for("model-fast", Reply.error(500))
    answer = await governed.chat(model="auto", max_tokens=5)
    assert answer.status >= 400
    assert {request.json["model"] for request in scripted_upstream.requests} == {"model-fast"}
    await governed.agree()


async def test_calls_that_went_out_and_were_not_answered_are_charged_their_prompt_and_held_for(
    govern: Govern, scripted_upstream: ScriptedUpstream
) -> None:
    governed = await govern(
        {"scope": {}, "limit": 0.015, **DAY}, router_settings={"num_retries": 5, "retry_after": 0, "timeout": 0.2}
    )
    scripted_upstream.default_for("model-fast", Reply.hang())
    answer = await governed.chat(text="word " * 2000, max_tokens=5)
    assert answer.status in (403, 408, 422)
    assert 2 <= len(scripted_upstream.requests) < 6, "the budget ends the retries"
    assert 0 < await governed.agree() <= 15_000_000
    (row,) = await governed.get("/spend/logs")
    assert row["metadata"]["estimated"]
    assert row["overrun_nano_usd"] == 0


async def test_a_call_that_never_went_out_costs_nothing_and_gives_all_back(govern: Govern) -> None:
    row = {
        "model_name": "fast",
        "litellm_params": {
            "model": "openai/gone",
            "api_base": "http://127.0.0.1:1/v1",
            "api_key": "sk-x",
            "input_cost_per_token": 1e-6,
            "output_cost_per_token": 1e-5,
        },
    }
    governed = await govern({"scope": {}, "limit": 0.01, **DAY}, model_list=[row])
    assert (await governed.chat()).status >= 500
    assert await governed.agree() == 0


async def test_calls_at_once_of_streams_and_answers_never_pass_the_cap(
    govern: Govern, scripted_upstream: ScriptedUpstream
) -> None:
    cap = 12_000_000
    governed = await govern(
        {"scope": {}, "limit": cap / 1e9, **DAY},
        {"scope": {"key": "*"}, "limit": cap / 2e9, **DAY},
        plugin={"stream_slice": 32},
    )
    keys = [await governed.key() for _ in range(3)]
    scripted_upstream.default = Reply.fitting()

    async def one(number: int) -> None:
        fields = {"stream": True} if number % 3 == 0 else {"max_tokens": 30 + number}
        answer = await governed.chat(keys[number % 3], **fields)
        assert answer.status in (200, 422)

    await asyncio.gather(*(one(number) for number in range(60)))
    assert 0 < await governed.agree() <= cap
    for row in await governed.get("/spend/keys"):
        assert row["spend"] <= cap / 2e9
