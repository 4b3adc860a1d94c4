"""The plugin in a whole gateway: each strategy steers traffic, each filter refuses as LiteLLM does."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import openai
import pytest

from routeiq_sdk import ConfigError, PluginError
from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.pytest_plugin import StartGateway
from routeiq_testkit.values import Usage

Serve = Callable[..., Awaitable[Any]]


def row(upstream: ScriptedUpstream, model: str, name: str = "m", **params: Any) -> dict[str, Any]:
    return openai_row(name, upstream.base_url, model, **params)


def priced(dollars_a_million: float) -> dict[str, float]:
    return {"input_cost_per_token": dollars_a_million / 1e6, "output_cost_per_token": dollars_a_million / 1e6}


def models(upstream: ScriptedUpstream) -> list[str]:
    """Which deployments were called, in order."""
    return [str(request.model) for request in upstream.requests]


def hold_the_clock(gateway: TestGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """The minute does not end in the middle of a test: 20 seconds are left of it."""
    clock = gateway.runtime.shared.clock
    monkeypatch.setattr(type(clock), "now_ns", lambda self: 1_800_000_040_000_000_000)


async def test_least_busy_avoids_the_deployment_that_still_works(
    serve: Serve, scripted_upstream: ScriptedUpstream
) -> None:
    served = await serve(
        [row(scripted_upstream, "a"), row(scripted_upstream, "b")], routing_strategy="least-busy", timeout=30
    )
    scripted_upstream.script(Reply.hang())
    hanging = asyncio.create_task(served.ask())
    busy = (await scripted_upstream.until_requests(1)).model
    for _ in range(6):
        await served.ask()
    assert set(models(scripted_upstream)[1:]) == {"a", "b"} - {busy}
    hanging.cancel()
    await scripted_upstream.requests[0].disconnected.wait()


@pytest.mark.parametrize("stream", [False, True])
async def test_latency_based_routing_settles_on_the_faster_one(
    serve: Serve, scripted_upstream: ScriptedUpstream, stream: bool
) -> None:
    served = await serve(
        [row(scripted_upstream, "slow"), row(scripted_upstream, "fast")], routing_strategy="latency-based-routing"
    )
    scripted_upstream.default_for("slow", Reply.fitting().delayed(0.3))
    for number in range(1, 7):
        await (served.stream() if stream else served.ask())
        await served.gateway.recorded(number)
    assert Counter(models(scripted_upstream)) == {"slow": 1, "fast": 5}


@pytest.mark.parametrize("strategy", ["usage-based-routing", "usage-based-routing-v2"])
async def test_usage_based_routing_evens_tokens_out(
    serve: Serve, scripted_upstream: ScriptedUpstream, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = await serve([row(scripted_upstream, "a"), row(scripted_upstream, "b")], routing_strategy=strategy)
    hold_the_clock(served.gateway, monkeypatch)
    scripted_upstream.default_for("a", Reply.chat(usage=Usage(30, 10)))
    scripted_upstream.default_for("b", Reply.chat(usage=Usage(10, 10)))
    for _ in range(9):
        await served.ask()
    assert Counter(models(scripted_upstream)) == {"a": 3, "b": 6}


@pytest.mark.parametrize(
    "strategy", ["usage-based-routing", "usage-based-routing-v2", "latency-based-routing", "cost-based-routing"]
)
async def test_at_the_limits_of_all_deployments_the_client_sees_429_and_when_to_come_back(
    serve: Serve, scripted_upstream: ScriptedUpstream, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row(scripted_upstream, "a", rpm=1), row(scripted_upstream, "b", rpm=2)]
    served = await serve(rows, routing_strategy=strategy)
    hold_the_clock(served.gateway, monkeypatch)
    for _ in range(3):
        await served.ask()
    with pytest.raises(openai.RateLimitError, match="Try again in 20 seconds") as refused:
        await served.ask()
    assert refused.value.response.headers["retry-after"] == "20"
    assert Counter(models(scripted_upstream)) == {"a": 1, "b": 2}


async def test_v2_lets_no_more_through_than_the_limit_when_all_come_at_once(
    serve: Serve, scripted_upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row(scripted_upstream, "a", rpm=2), row(scripted_upstream, "b", rpm=3)]
    served = await serve(rows, routing_strategy="usage-based-routing-v2")
    hold_the_clock(served.gateway, monkeypatch)
    answers = await asyncio.gather(*(served.ask() for _ in range(12)), return_exceptions=True)
    assert Counter(models(scripted_upstream)) == {"a": 2, "b": 3}
    assert sum(isinstance(answer, openai.RateLimitError) for answer in answers) == 7


async def test_v2_keeps_the_limit_when_all_looked_before_anyone_was_counted(
    serve: Serve, scripted_upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row(scripted_upstream, "a", rpm=2), row(scripted_upstream, "b", rpm=3)]
    served = await serve(rows, routing_strategy="usage-based-routing-v2")
    hold_the_clock(served.gateway, monkeypatch)
    store = type(served.gateway.runtime.shared.state)
    read, all_have_read = store.counters, asyncio.Barrier(12)

    async def read_together(self: Any, keys: Any) -> Any:
        values = await read(self, keys)
        await all_have_read.wait()
        return values

    monkeypatch.setattr(store, "counters", read_together)
    answers = await asyncio.gather(*(served.ask() for _ in range(12)), return_exceptions=True)
    assert Counter(models(scripted_upstream)) == {"a": 2, "b": 3}
    assert sum(isinstance(answer, openai.APIStatusError) for answer in answers) == 7


async def test_cost_based_routing_takes_the_cheaper_one(serve: Serve, scripted_upstream: ScriptedUpstream) -> None:
    rows = [
        row(scripted_upstream, "unpriced"),
        row(scripted_upstream, "dear", **priced(9)),
        row(scripted_upstream, "cheap", **priced(1)),
    ]
    served = await serve(rows, routing_strategy="cost-based-routing", num_retries=1)
    for _ in range(4):
        await served.ask()
    assert models(scripted_upstream) == ["cheap"] * 4
    scripted_upstream.script_for("cheap", Reply.error(500))
    await served.ask()
    assert models(scripted_upstream)[4:] == ["cheap", "dear"]


async def test_a_routing_group_has_a_strategy_of_its_own(serve: Serve, scripted_upstream: ScriptedUpstream) -> None:
    rows = [
        row(scripted_upstream, f"{name}-{kind}", name, **priced(dollars))
        for name in ("one", "other")
        for kind, dollars in (("dear", 9), ("cheap", 1))
    ]
    groups = [{"group_name": "g", "models": ["one"], "routing_strategy": "cost-based-routing"}]
    served = await serve(rows, routing_groups=groups)
    for _ in range(20):
        await served.ask(model="one")
        await served.ask(model="other")
    counted = Counter(models(scripted_upstream))
    assert counted["one-cheap"] == 20
    assert set(counted) == {"one-cheap", "other-cheap", "other-dear"}


@pytest.mark.parametrize("strategy", ["cost-based-routing", "least-busy", "usage-based-routing"])
async def test_a_lower_order_goes_first_until_it_is_benched(
    serve: Serve, scripted_upstream: ScriptedUpstream, strategy: str
) -> None:
    rows = [
        row(scripted_upstream, "first", order=1, **priced(9)),
        row(scripted_upstream, "second", order=2, **priced(1)),
    ]
    served = await serve(rows, routing_strategy=strategy, cooldown_time=60)
    for _ in range(3):
        await served.ask()
    scripted_upstream.script_for("first", Reply.rate_limited(retry_after=30))
    with pytest.raises(openai.RateLimitError):
        await served.ask()
    await served.ask()
    assert models(scripted_upstream) == ["first"] * 4 + ["second"]


async def test_tags_choose_and_refuse(serve: Serve, scripted_upstream: ScriptedUpstream) -> None:
    rows = [row(scripted_upstream, "free", tags=["free"]), row(scripted_upstream, "paid", tags=["paid"])]
    served = await serve(rows, enable_tag_filtering=True)
    for tag in ("paid", "free", "paid"):
        await served.ask(extra_body={"metadata": {"tags": [tag]}})
    await served.ask(extra_headers={"x-litellm-tags": "free, other"})
    assert models(scripted_upstream) == ["paid", "free", "paid", "free"]
    with pytest.raises(openai.AuthenticationError, match="Not allowed to access model due to tags configuration"):
        await served.ask(extra_body={"tags": ["gold"]})


async def test_untagged_requests_and_unheard_tags_use_the_default_deployment(
    serve: Serve, scripted_upstream: ScriptedUpstream
) -> None:
    rows = [row(scripted_upstream, "paid", tags=["paid"]), row(scripted_upstream, "usual", tags=["default"])]
    served = await serve(rows, enable_tag_filtering=True)
    await served.ask()
    await served.ask(extra_body={"tags": ["gold"]})
    assert models(scripted_upstream) == ["usual", "usual"]


async def test_a_session_sticks_and_moves_when_its_deployment_is_benched(
    serve: Serve, scripted_upstream: ScriptedUpstream
) -> None:
    rows = [row(scripted_upstream, name) for name in "abcd"]
    served = await serve(rows, optional_pre_call_checks=["session_affinity"], num_retries=1, cooldown_time=60)
    same = {"extra_headers": {"x-litellm-session-id": "s-1"}}
    for _ in range(6):
        await served.ask(**same)
    (home,) = set(models(scripted_upstream))
    scripted_upstream.script_for(home, Reply.rate_limited(retry_after=30))
    for _ in range(6):
        await served.ask(**same)
    moved = models(scripted_upstream)[6:]
    assert moved[0] == home
    assert len(set(moved[1:])) == 1
    assert moved[1] != home


async def test_a_key_sticks_on_streams_too(serve: Serve, scripted_upstream: ScriptedUpstream) -> None:
    rows = [row(scripted_upstream, name) for name in "abcd"]
    served = await serve(rows, model_group_affinity_config={"m": ["deployment_affinity"]})
    for _ in range(8):
        await served.stream()
    assert len(set(models(scripted_upstream))) == 1


async def test_a_cached_prefix_goes_back_to_its_deployment(serve: Serve, scripted_upstream: ScriptedUpstream) -> None:
    rows = [row(scripted_upstream, name) for name in "abcd"]
    served = await serve(rows, optional_pre_call_checks=["prompt_caching"])
    system = {
        "role": "system",
        "content": [{"type": "text", "text": "rule " * 1200, "cache_control": {"type": "ephemeral"}}],
    }
    for number in range(8):
        await served.client.chat.completions.create(
            model="m",
            messages=[system, {"role": "user", "content": f"question {number}"}],  # type: ignore[list-item]
        )
    assert len(set(models(scripted_upstream))) == 1


async def test_a_prompt_goes_where_it_fits_and_is_refused_where_it_does_not(
    serve: Serve, scripted_upstream: ScriptedUpstream
) -> None:
    rows = [row(scripted_upstream, "small"), row(scripted_upstream, "large")]
    for one, window in zip(rows, (100, 1000), strict=True):
        one["model_info"] = {"max_input_tokens": window}
    served = await serve(rows, enable_pre_call_checks=True)
    for _ in range(5):
        await served.ask("x" * 600)
    assert set(models(scripted_upstream)) == {"large"}
    with pytest.raises(openai.BadRequestError, match="ContextWindowExceededError"):
        await served.ask("x" * 20_000)
    assert len(scripted_upstream.requests) == 5


async def test_a_spent_provider_is_left_out_and_then_nobody_is_left(
    serve: Serve, scripted_upstream: ScriptedUpstream
) -> None:
    other = row(scripted_upstream, "other", **priced(1000))
    other["litellm_params"]["model"] = "groq/other"
    served = await serve(
        [row(scripted_upstream, "one", order=1, **priced(1000)), {**other, "model_name": "m"}],
        routing_strategy="provider-budget-routing",
        provider_budget_config={
            "openai": {"budget_limit": 0.0001, "time_period": "1d"},
            "groq": {"budget_limit": 0.0001, "time_period": "1d"},
        },
    )
    await served.ask()
    await served.ask()
    with pytest.raises(openai.RateLimitError, match="No deployments available - crossed budget: Exceeded budget") as no:
        await served.ask()
    assert no.value.type == "budget_exceeded"
    assert models(scripted_upstream) == ["one", "other"]


async def test_a_budget_that_is_spent_falls_back_to_another_model(
    serve: Serve, scripted_upstream: ScriptedUpstream
) -> None:
    local = row(scripted_upstream, "local", "local")
    local["litellm_params"]["model"] = "groq/local"
    served = await serve(
        [row(scripted_upstream, "one", **priced(1000)), local],
        provider_budget_config={"openai": {"budget_limit": 0.0001, "time_period": "1d"}},
        fallbacks=[{"m": ["local"]}],
    )
    for _ in range(3):
        await served.ask()
    assert models(scripted_upstream) == ["one", "local", "local"]


async def test_a_store_that_fails_refuses_where_a_budget_holds_and_only_there(
    serve: Serve, scripted_upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = row(scripted_upstream, "local", "local")
    local["litellm_params"]["model"] = "groq/local"
    served = await serve(
        [row(scripted_upstream, "one", **priced(1000)), local],
        provider_budget_config={"openai": {"budget_limit": 1, "time_period": "1d"}},
    )

    async def down(*args: Any, **options: Any) -> None:
        raise ConnectionError("the store is down")

    monkeypatch.setattr(type(served.gateway.runtime.shared.state), "counters", down)
    with pytest.raises(openai.InternalServerError, match="routing-classic"):
        await served.ask()
    await served.ask(model="local")
    assert models(scripted_upstream) == ["local"]


async def test_what_was_learned_outlives_a_reload(serve: Serve, scripted_upstream: ScriptedUpstream) -> None:
    settings = {"routing_strategy": "latency-based-routing", "num_retries": 0}
    rows = [row(scripted_upstream, "slow"), row(scripted_upstream, "fast")]
    served = await serve(rows, **settings)
    scripted_upstream.default_for("slow", Reply.fitting().delayed(0.3))
    for _ in range(3):
        await served.ask()
    more = [*rows, row(scripted_upstream, "other", "other")]
    plugins = {"plugins": {"routing-classic": {}}}
    served.gateway.write({"model_list": more, "router_settings": settings, "routeiq": plugins})
    await served.gateway.app.reload()
    for _ in range(3):
        await served.ask()
    await served.ask(model="other")
    assert Counter(models(scripted_upstream)) == {"slow": 1, "fast": 5, "other": 1}


async def test_a_model_at_its_limits_is_no_candidate_of_a_virtual_model(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await gateway(
        {
            "model_list": [row(scripted_upstream, "one", "one", rpm=1), row(scripted_upstream, "two", "two", rpm=1)],
            "router_settings": {"routing_strategy": "usage-based-routing-v2"},
            "routeiq": {
                "virtual_models": {"auto": {"models": ["one", "two"]}},
                "plugins": {"routing-classic": {}},
            },
        }
    )
    hold_the_clock(running, monkeypatch)
    assert [(await running.chat("auto"))[0] for _ in range(3)] == [200, 200, 429]
    assert models(scripted_upstream) == ["one", "two"]


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("routing_strategy_args", {"ttl": "soon"}, r"routeiq\.yaml:\d+: router_settings\.routing_strategy_args\.ttl"),
        ("routing_strategy_args", {"tll": 3}, r"routing_strategy_args\.tll is an unknown key.*lowest_latency_buffer"),
        (
            "routing_groups",
            [{"group_name": "g", "models": ["m"], "routing_strategy": "fastest"}],
            r"routeiq\.yaml:\d+: router_settings\.routing_groups\[0\]\.routing_strategy.*least-busy",
        ),
        (
            "optional_pre_call_checks",
            ["responses_api_deployment_check"],
            r"routeiq\.yaml:\d+: router_settings\.optional_pre_call_checks\[0\].*prompt_caching",
        ),
        (
            "provider_budget_config",
            {"openai": {"budget_limit": 1, "time_period": "1y"}},
            r"routeiq\.yaml:\d+: router_settings\.provider_budget_config\.openai\.time_period: not a length of time",
        ),
        ("model_group_affinity_config", {"m": ["sticky"]}, r"routeiq\.yaml:\d+: .*model_group_affinity_config\.m\[0\]"),
        ("tag_filtering_match_any", "perhaps", r"routeiq\.yaml:\d+: router_settings\.tag_filtering_match_any"),
    ],
)
async def test_a_wrong_value_stops_the_start_and_says_where(
    serve: Serve, scripted_upstream: ScriptedUpstream, key: str, value: Any, told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        await serve([row(scripted_upstream, "a")], **{key: value})


async def test_a_budget_for_an_unpriced_deployment_stops_the_start(
    serve: Serve, scripted_upstream: ScriptedUpstream
) -> None:
    with pytest.raises(PluginError, match=r"without a price: m \(openai/a\).*input_cost_per_token"):
        await serve(
            [row(scripted_upstream, "a")],
            provider_budget_config={"openai": {"budget_limit": 1, "time_period": "1d"}},
        )
