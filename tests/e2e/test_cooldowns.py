"""Promise: a deployment that fails is benched by LiteLLM's rules, spares its group, and comes back.
The rules themselves are tested one by one beside `routeiq.request.cooldown`.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import openai
import pytest

from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import openai_row

HELLO: list[Any] = [{"role": "user", "content": "hello"}]


async def _pair(gateway: Any, up: ScriptedUpstream, **router: Any) -> Any:
    rows = [openai_row("fast", up.base_url, name, order=place) for place, name in enumerate("ab", 1)]
    return await gateway({"model_list": rows, "router_settings": {"num_retries": 1, **router}})


async def _alone(gateway: Any, up: ScriptedUpstream, **router: Any) -> Any:
    row = openai_row("fast", up.base_url, "a")
    return await gateway({"model_list": [row], "router_settings": {"num_retries": 0, **router}})


def _asked(up: ScriptedUpstream) -> str:
    return "".join(request.model or "?" for request in up.requests)


async def test_a_429_benches_one_of_two(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    gw = await _pair(gateway, up)
    up.script(Reply.rate_limited(None))
    assert [(await gw.chat("fast"))[0] for _ in range(3)] == [200] * 3
    assert _asked(up) == "abbb"  # the first by its order, then the bench


async def test_a_429_does_not_bench_a_deployment_that_is_alone(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    gw = await _alone(gateway, up)
    up.script(Reply.rate_limited(None))
    assert [(await gw.chat("fast"))[0] for _ in range(2)] == [429, 200]


@pytest.mark.parametrize("status", [401, 402, 404])
async def test_a_401_benches_even_alone_and_the_client_learns_for_how_long(
    gateway, scripted_upstream: ScriptedUpstream, openai_client, status: int
) -> None:
    up = scripted_upstream
    gw = await _alone(gateway, up, cooldown_time=7)
    up.script(Reply.error(status))
    client = openai_client(gw)
    with pytest.raises(openai.APIStatusError) as first:
        await client.chat.completions.create(model="fast", messages=HELLO)
    assert first.value.status_code == status
    with pytest.raises(openai.RateLimitError) as second:
        await client.chat.completions.create(model="fast", messages=HELLO)
    assert second.value.type == "all_deployments_in_cooldown"
    assert second.value.response.headers["retry-after"] == "7"
    assert "Try again in 7 seconds" in second.value.message
    assert len(up.requests) == 1
    newest, _ = await gw.recorded(2)
    assert newest.attempts == ()


@pytest.mark.parametrize("status", [400, 403, 413, 422])
async def test_the_clients_own_faults_bench_nobody(gateway, scripted_upstream: ScriptedUpstream, status: int) -> None:
    up = scripted_upstream
    gw = await _alone(gateway, up)
    up.script(*[Reply.error(status)] * 6)
    assert [(await gw.chat("fast"))[0] for _ in range(7)] == [status] * 6 + [200]


async def test_the_bench_ends(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    gw = await _alone(gateway, up, cooldown_time=0.3)
    up.script(Reply.error(401))
    started = time.monotonic()
    assert (await gw.chat("fast"))[0] == 401
    async with asyncio.timeout(5.0):
        while (answer := await gw.chat("fast"))[0] == 429:
            assert answer[1]["retry-after"] == "1"
            await asyncio.sleep(0.02)
    assert answer[0] == 200
    assert time.monotonic() - started >= 0.3


async def test_a_deployments_own_cooldown_counts(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    rows = [
        openai_row("long", up.base_url, "a", cooldown_time=40),
        openai_row("none", up.base_url, "b", cooldown_time=0),
    ]
    gw = await gateway({"model_list": rows, "router_settings": {"num_retries": 0, "cooldown_time": 9}})
    up.script(Reply.error(401))
    await gw.chat("long")
    assert (await gw.chat("long"))[1]["retry-after"] == "40"
    up.script(Reply.error(401))
    await gw.chat("none")
    assert (await gw.chat("none"))[0] == 200


async def test_the_providers_own_retry_after_is_the_bench(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    rows = [openai_row("fast", up.base_url, name) for name in "ab"]
    gw = await gateway({"model_list": rows, "router_settings": {"num_retries": 1}})
    up.script(Reply.rate_limited(33), Reply.rate_limited(44))
    status, _, _ = await gw.chat("fast")
    assert status == 429
    status, headers, body = await gw.chat("fast")
    assert (status, body["error"]["type"]) == (429, "all_deployments_in_cooldown")
    assert headers["retry-after"] == "33"
    assert len(up.requests) == 2


async def test_failing_more_than_half_the_time_benches_one_of_two(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    gw = await _pair(gateway, up)
    up.default_for("a", Reply.error(500))
    assert [(await gw.chat("fast"))[0] for _ in range(8)] == [200] * 8
    assert _asked(up) == "ab" * 5 + "bbb"


async def test_a_written_number_of_allowed_fails_replaces_the_rules(
    gateway, scripted_upstream: ScriptedUpstream
) -> None:
    up = scripted_upstream
    gw = await _alone(gateway, up, allowed_fails=2)
    up.default = Reply.error(500)
    statuses = [(await gw.chat("fast"))[0] for _ in range(5)]
    assert statuses == [500, 500, 500, 429, 429]
    assert len(up.requests) == 3


async def test_allowed_fails_may_differ_by_class(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    policy = {"InternalServerErrorAllowedFails": 100, "TimeoutErrorAllowedFails": 100, "RateLimitErrorAllowedFails": 0}
    gw = await _alone(gateway, up, allowed_fails=1, allowed_fails_policy=policy)
    up.script(*[Reply.error(500)] * 4, *[Reply.error(408)] * 4)
    statuses = [(await gw.chat("fast"))[0] for _ in range(8)]
    assert statuses == [500] * 4 + [408] * 4
    up.script(*[Reply.rate_limited(None)] * 2)
    statuses = [(await gw.chat("fast"))[0] for _ in range(2)]
    assert (statuses, len(up.requests)) == ([429, 429], 9)


async def test_benching_can_be_turned_off(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    gw = await _alone(gateway, up, disable_cooldowns=True)
    up.script(Reply.error(401), Reply.error(401))
    assert [(await gw.chat("fast"))[0] for _ in range(3)] == [401, 401, 200]


async def test_a_benched_group_falls_back(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    rows = [openai_row("fast", up.base_url, "a"), openai_row("slow", up.base_url, "b")]
    router = {"num_retries": 0, "fallbacks": [{"fast": ["slow"]}]}
    gw = await gateway({"model_list": rows, "router_settings": router})
    up.script(Reply.error(401))
    assert [(await gw.chat("fast"))[0] for _ in range(3)] == [200] * 3
    assert _asked(up) == "abbb"


async def test_a_reload_leaves_the_broken_on_the_bench(gateway, scripted_upstream: ScriptedUpstream) -> None:
    up = scripted_upstream
    rows = [openai_row("fast", up.base_url, "a")]
    gw = await gateway({"model_list": rows, "router_settings": {"num_retries": 0, "cooldown_time": 30}})
    up.script(Reply.error(401))
    assert (await gw.chat("fast"))[0] == 401
    gw.write({"model_list": [*rows, openai_row("more", up.base_url, "b")]})
    await gw.app.reload()
    assert (await gw.chat("fast"))[0] == 429
    assert (await gw.chat("more"))[0] == 200
