"""Promise: what a call cost is told exactly, in nano-USD on the record and in the header; unpriced is not 0.
Reading price books is tested beside `routeiq.catalog`.
"""

from __future__ import annotations

import pytest

from routeiq_sdk import Usage as BilledUsage
from routeiq_testkit import Reply, ScriptedUpstream, Usage
from routeiq_testkit.gateway import anthropic_row, openai_row

PRICE = {
    "input_cost_per_token": 0.00000015,
    "output_cost_per_token": 0.0000006,
    "cache_read_input_token_cost": 0.000000075,
}


async def test_a_priced_call_tells_its_exact_cost(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [openai_row("fast", up.base_url, **PRICE)]})
    up.script(Reply.chat(usage=Usage(1001, 17, cached_tokens=200, reasoning_tokens=5)))
    _, headers, _ = await gw.chat("fast")
    nano = 801 * 150 + 200 * 75 + 17 * 600
    assert headers["x-litellm-response-cost"] == "0.00014535"
    (record,) = await gw.recorded()
    assert (record.cost, record.attempts[0].cost) == (nano, nano)
    assert isinstance(record.cost, int)
    assert record.price_version
    assert record.usage == BilledUsage(1001, 17, cached_tokens=200, reasoning_tokens=5)


async def test_a_fraction_of_a_nano_dollar_is_rounded_up_once(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    tiny = {"input_cost_per_token": 0.0000000003, "output_cost_per_token": 0.0000000004}
    gw = await gateway({"model_list": [openai_row("fast", up.base_url, **tiny)]})
    up.script(Reply.chat(usage=Usage(3, 1)))
    await gw.chat("fast")
    (record,) = await gw.recorded()
    assert record.cost == 2  # 0.9 + 0.4


async def test_an_unpriced_model_is_unpriced_not_free(gateway, scripted_upstream: ScriptedUpstream) -> None:
    gw = await gateway({"model_list": [openai_row("fast", scripted_upstream.base_url, "nobody-ever-priced-this")]})
    _, headers, _ = await gw.chat("fast")
    assert "x-litellm-response-cost" not in headers
    (record,) = await gw.recorded()
    assert (record.cost, record.price_version) == (None, None)
    assert record.usage.input_tokens > 0
    async with gw.session.get("/routeiq/v1/status") as response:
        assert (await response.json())["unpriced"] == [record.deployment_id]


async def test_a_free_model_costs_zero(gateway, scripted_upstream: ScriptedUpstream) -> None:
    free = {"input_cost_per_token": 0, "output_cost_per_token": 0}
    gw = await gateway({"model_list": [openai_row("fast", scripted_upstream.base_url, **free)]})
    _, headers, _ = await gw.chat("fast")
    assert headers["x-litellm-response-cost"] == "0.0"
    (record,) = await gw.recorded()
    assert record.cost == 0


async def test_the_operators_price_is_used_by_model(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    prices = {"openai/own": {"input_usd_per_mtok": 2, "output_usd_per_mtok": "8.5"}}
    gw = await gateway({"model_list": [openai_row("fast", up.base_url, "own")], "routeiq": {"prices": prices}})
    up.script(Reply.chat(usage=Usage(10, 2)))
    await gw.chat("fast")
    (record,) = await gw.recorded()
    assert record.cost == 10 * 2000 + 2 * 8500


@pytest.mark.parametrize("wire", ["openai", "anthropic"])
async def test_a_stream_costs_the_same_as_the_whole(gateway, scripted_upstream: ScriptedUpstream, wire: str) -> None:
    up = scripted_upstream
    usage = Usage(1000, 20, cached_tokens=100)
    if wire == "openai":
        row, replies = openai_row("fast", up.base_url, **PRICE), (Reply.chat(usage=usage), Reply.stream(usage=usage))
    else:
        row = anthropic_row("fast", up.origin, **PRICE)
        replies = (Reply.message(usage=usage), Reply.message_stream(usage=usage))
    gw = await gateway({"model_list": [row]})
    up.script(*replies)
    await gw.chat("fast")
    await gw.stream("fast")
    records = await gw.recorded(2)
    assert [record.cost for record in records] == [900 * 150 + 100 * 75 + 20 * 600] * 2
    assert not any(record.usage.estimated for record in records)


async def test_without_a_providers_count_the_tokens_are_estimated_and_marked(
    gateway, scripted_upstream: ScriptedUpstream
) -> None:
    up = scripted_upstream
    gw = await gateway({"model_list": [openai_row("fast", up.base_url, **PRICE)]})
    up.script(Reply.chat(usage=False), Reply.stream(usage=False))
    await gw.chat("fast", "How many words are here?")
    await gw.stream("fast", "How many words are here?")
    for record in await gw.recorded(2):
        assert record.usage.estimated
        assert record.usage.input_tokens > 0
        assert record.usage.output_tokens > 0
        assert record.cost > 0


async def test_failed_attempts_cost_nothing_and_the_last_one_counts(
    gateway, scripted_upstream: ScriptedUpstream
) -> None:
    up = scripted_upstream
    dear = {"input_cost_per_token": 0.001, "output_cost_per_token": 0.001}
    rows = [openai_row("a", up.base_url, "a", **dear), openai_row("b", up.base_url, "b", **PRICE)]
    gw = await gateway({"model_list": rows, "router_settings": {"num_retries": 0, "fallbacks": [{"a": ["b"]}]}})
    up.script(Reply.error(500), Reply.chat(usage=Usage(10, 0)))
    _, headers, _ = await gw.chat("a")
    assert headers["x-litellm-response-cost"] == "0.0000015"
    (record,) = await gw.recorded()
    assert [attempt.cost for attempt in record.attempts] == [None, 1500]


async def test_the_record_is_found_by_either_of_its_ids(gateway, scripted_upstream: ScriptedUpstream) -> None:
    gw = await gateway({"model_list": [openai_row("fast", scripted_upstream.base_url, **PRICE)]})
    _, headers, _ = await gw.chat("fast")
    await gw.recorded()
    for name in ("x-routeiq-request-id", "x-routeiq-decision-id"):
        async with gw.session.get(f"/routeiq/v1/decisions/{headers[name]}") as response:
            assert (await response.json())["request_id"] == headers["x-litellm-call-id"]
