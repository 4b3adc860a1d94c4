"""What is held before a call, how it is bounded by what is held, and what a client hears."""

from __future__ import annotations

import asyncio

import pytest

from routeiq_testkit import Reply, ScriptedUpstream, Usage
from routeiq_testkit.gateway import anthropic_row, openai_row

from .conftest import Govern
from .world import INPUT, OUTPUT, PRICE

DAY = {"unit": "usd", "window": "day"}


async def test_a_request_that_nothing_bounds_asks_no_store_and_has_its_entry(govern: Govern) -> None:
    governed = await govern()
    asked = []
    meters = governed.parts.quotas._opened.meters
    for name in ("reserve", "settle"):
        setattr(meters, name, lambda *_, **__: asked.append(1))
    answer = await governed.chat()
    assert answer.status == 200
    await governed.settled()
    assert asked == []
    (row,) = await governed.get("/spend/logs")
    assert row["spend_nano_usd"] == answer.cost


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({}, {"max_completion_tokens"}),
        ({"max_tokens": 5000}, {"max_tokens"}),
        ({"max_completion_tokens": 5000}, {"max_completion_tokens"}),
        ({"max_tokens": 4000, "n": 2}, {"max_tokens"}),
    ],
)
async def test_a_call_is_clamped_to_what_is_left_in_the_clients_own_field(
    govern: Govern, scripted_upstream: ScriptedUpstream, fields: dict, sent: set[str]
) -> None:
    governed = await govern({"scope": {}, "limit": 0.01, **DAY})
    assert (await governed.chat(**fields)).status == 200
    body = scripted_upstream.requests[-1].json
    bounds = {name: body[name] for name in ("max_tokens", "max_completion_tokens") if name in body}
    assert bounds.keys() == sent
    most = 10_000_000 // OUTPUT
    assert most // 2 < min(bounds.values()) * fields.get("n", 1) < most
    await governed.agree()


async def test_a_call_that_fits_is_sent_as_it_came(govern: Govern, scripted_upstream: ScriptedUpstream) -> None:
    governed = await govern({"scope": {}, "limit": 1, **DAY})
    assert (await governed.chat(max_tokens=50)).status == 200
    body = scripted_upstream.requests[-1].json
    assert body["max_tokens"] == 50
    assert "max_completion_tokens" not in body


async def test_each_wire_is_bounded_in_its_own_field(govern: Govern, scripted_upstream: ScriptedUpstream) -> None:
    rows = [
        anthropic_row("claude", scripted_upstream.origin, **PRICE),
        openai_row("gpt", scripted_upstream.base_url, **PRICE),
    ]
    governed = await govern({"scope": {}, "limit": 0.01, **DAY}, model_list=rows)
    said = [{"role": "user", "content": "hello"}]
    chat = {"model": "claude", "messages": said, "max_completion_tokens": 5000}
    assert (await governed.post("/v1/chat/completions", chat)).status == 200
    body = scripted_upstream.requests[-1].json
    assert body["max_tokens"] < 1000
    assert "max_completion_tokens" not in body
    messages = {"model": "gpt", "messages": said, "max_tokens": 5000}
    assert (await governed.post("/v1/messages", messages)).status == 200
    body = scripted_upstream.requests[-1].json
    assert body["max_completion_tokens"] < 1000
    assert "max_tokens" not in body


@pytest.mark.parametrize(("profile", "status"), [("1.80", 400), ("1.109", 422)])
async def test_an_exhausted_budget_is_told_in_the_profiles_words(govern: Govern, profile: str, status: int) -> None:
    policy = {"id": "tiny", "scope": {}, "limit": 0.0000001, **DAY}
    governed = await govern(policy, routeiq={"compat": {"litellm_profile": profile}})
    answer = await governed.chat()
    assert answer.status == status
    assert answer.error["type"] == "budget_exceeded"
    assert answer.error["code"] == str(status)
    for said in ("Budget has been exceeded!", "Max budget: 0.0000001", "tiny"):
        assert said in answer.error["message"]
    assert int(answer.headers["retry-after"]) > 0


async def test_the_status_of_an_exhausted_budget_can_be_litellms_old_one(govern: Govern) -> None:
    governed = await govern({"scope": {}, "limit": 0, **DAY}, litellm_settings={"budget_exceeded_status_code": 429})
    assert (await governed.chat()).status == 429


async def test_a_model_without_a_price_is_refused_under_a_budget_free_or_has_a_fixed_cost(
    govern: Govern, scripted_upstream: ScriptedUpstream
) -> None:
    policy = {"scope": {}, "limit": 1, **DAY}
    governed = await govern(policy)
    refused = await governed.chat(model="unpriced")
    assert (refused.status, refused.error["param"]) == (400, "model")
    assert "input_cost_per_token" in refused.error["message"]
    assert not scripted_upstream.requests
    free = await govern(policy, plugin={"unpriced": "free"})
    assert (await free.chat(model="unpriced")).status == 200
    assert await free.agree() == 0
    fixed = await govern(policy, plugin={"unpriced": 0.25})
    assert [(await fixed.chat(model="unpriced", max_tokens=1)).status for _ in range(5)] == [200] * 4 + [422]
    assert await fixed.agree() == 10**9


async def test_a_rate_limit_tells_when_to_come_back(govern: Govern) -> None:
    governed = await govern()
    key = await governed.key(rpm_limit=2)
    first = await governed.chat(key)
    assert first.headers["x-ratelimit-api_key-limit-requests"] == "2"
    assert first.headers["x-ratelimit-api_key-remaining-requests"] == "1"
    assert first.headers["x-litellm-key-rpm-limit"] == "2"
    assert (await governed.chat(key)).status == 200
    refused = await governed.chat(key)
    assert (refused.status, refused.error["type"]) == (429, "throttling_error")
    assert "Rate limit exceeded for api_key" in refused.error["message"]
    assert "Limit type: requests. Current limit: 2, Remaining: 0" in refused.error["message"]
    assert refused.headers["rate_limit_type"] == "requests"
    assert int(refused.headers["reset_at"]) > 0
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit-policy"].endswith(";q=2;w=60")


async def test_a_token_limit_is_looked_at_before_and_counted_after(
    govern: Govern, scripted_upstream: ScriptedUpstream
) -> None:
    scripted_upstream.default = Reply.chat("x", usage=Usage(60, 50))
    governed = await govern()
    key = await governed.key(tpm_limit=100)
    assert (await governed.chat(key)).status == 200, "LiteLLM lets the first pass, whatever it takes"
    await governed.settled()
    refused = await governed.chat(key)
    assert (refused.status, refused.headers["rate_limit_type"]) == (429, "tokens")
    await governed.agree()


async def test_calls_at_once_are_bounded_and_given_back(govern: Govern, scripted_upstream: ScriptedUpstream) -> None:
    governed = await govern()
    none, one = await governed.key(max_parallel_requests=0), await governed.key(max_parallel_requests=1)
    assert (await governed.chat(none)).status == 429
    scripted_upstream.script(Reply.hang())
    hanging = asyncio.ensure_future(governed.chat(one))
    await scripted_upstream.until_requests(1)
    refused = await governed.chat(one)
    assert (refused.status, refused.headers["rate_limit_type"]) == (429, "max_parallel_requests")
    hanging.cancel()
    await governed.until(0)
    assert (await governed.chat(one)).status == 200


async def test_requests_with_a_burst_are_evenly_spread(govern: Govern) -> None:
    governed = await govern({"scope": {}, "limit": 10, "unit": "requests", "window": "hour", "burst": 3})
    assert [(await governed.chat()).status for _ in range(4)] == [200, 200, 200, 429]
    refused = await governed.chat()
    assert 300 < int(refused.headers["retry-after"]) <= 360
    none = await govern({"scope": {}, "limit": 0, "unit": "requests", "window": "hour", "burst": 3})
    assert (await none.chat()).status == 429


async def test_post_pay_lets_a_tiny_budget_pass_once_and_a_budget_of_nothing_never(govern: Govern) -> None:
    governed = await govern(plugin={"admission": "post-pay"})
    tiny, zero = await governed.key(max_budget=0.0000001), await governed.key(max_budget=0)
    assert (await governed.chat(tiny)).status == 200
    await governed.settled()
    assert (await governed.chat(tiny)).status == 422
    assert (await governed.chat(zero)).status == 422
    rows = await governed.get("/spend/logs")
    assert [row["overrun_nano_usd"] for row in rows] == [0], "nothing was held, so nothing ran over"


async def test_adaptive_admission_holds_what_was_learned(govern: Govern, scripted_upstream: ScriptedUpstream) -> None:
    scripted_upstream.default = Reply.chat("x", usage=Usage(10, 20))
    governed = await govern({"id": "p", "scope": {}, "limit": 1, **DAY}, plugin={"admission": "adaptive"})
    for _ in range(8):
        assert (await governed.chat()).status == 200
    await governed.settled()
    before = await governed.agree()
    scripted_upstream.script(Reply.hang())
    hanging = asyncio.ensure_future(governed.chat())
    await scripted_upstream.until_requests(9)
    (hold,) = governed.parts.quotas._live._holds.values()
    assert hold.units == 20
    assert "max_completion_tokens" not in scripted_upstream.requests[-1].json
    hanging.cancel()
    await governed.until(0)
    assert before == 8 * (10 * INPUT + 20 * OUTPUT)


async def test_shadow_refuses_nothing_and_tells_once(govern: Govern) -> None:
    governed = await govern({"id": "dark", "scope": {}, "limit": 0, "mode": "shadow", **DAY})
    assert [(await governed.chat()).status for _ in range(3)] == [200, 200, 200]
    told = [event.payload["kind"] for event in governed.events if event.name == "routeiq.quota.v1"]
    assert told == ["shadow_refusal"]
    await governed.agree()


async def test_a_soft_threshold_is_told_once_a_window(govern: Govern) -> None:
    governed = await govern(
        {"id": "soft", "scope": {}, "limit": 4, "unit": "requests", "window": "day", "soft": [0.5, 1.0]}
    )
    for _ in range(5):
        await governed.chat()
    told = [event.payload["kind"] for event in governed.events]
    assert told == ["soft_0.5", "soft_1"]
    assert governed.events[0].payload["taken"] == 2


async def test_a_soft_budget_of_a_key_is_told_and_refuses_nothing(govern: Govern) -> None:
    governed = await govern()
    key = await governed.key(soft_budget=0.0000001)
    assert [(await governed.chat(key)).status for _ in range(2)] == [200, 200]
    assert [event.payload["policy"].endswith(":soft-budget") for event in governed.events] == [True]


async def test_what_a_key_spent_before_its_budget_counts(govern: Govern) -> None:
    governed = await govern()
    key = await governed.key()
    spent = (await governed.chat(key)).cost
    await governed.made("/key/update", key=key, max_budget=float(spent) / 1e9)
    assert (await governed.chat(key)).status == 422
    assert await governed.agree() == spent


async def test_headers_of_an_answer_stay_small_with_many_limits(govern: Govern) -> None:
    policies = [
        {"id": f"p{n}", "scope": {"route": "*"}, "limit": 1000 + n, "unit": "requests", "window": "day"}
        for n in range(40)
    ]
    governed = await govern(*policies)
    answer = await governed.chat()
    assert answer.status == 200
    assert sum(len(name) + len(value) + 4 for name, value in answer.headers.items()) < 4096
