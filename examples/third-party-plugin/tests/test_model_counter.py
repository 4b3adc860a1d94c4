"""What the plugin promises: the contract of every plugin, the counting, and the route in a whole gateway."""

from __future__ import annotations

import asyncio

from acme_model_counter import ModelCounter, ModelCounterConfig
from acme_model_counter.plugin import OTHERS

from routeiq_sdk.testing import PluginContract, call_hook, make_context, make_record
from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import openai_row
from routeiq_testkit.pytest_plugin import StartGateway

PATH = "/acme/model-counts"


class TestModelCounter(PluginContract):
    plugin = ModelCounter
    name = "model-counter"
    group = "routeiq.sinks"
    config = {"most_models": 10}


def count(plugin: ModelCounter, model: str | None, status: int = 200) -> None:
    asyncio.run(call_hook(plugin, "record", make_context(), make_record(model=model, status=status)))


def test_requests_are_counted_by_model_and_outcome() -> None:
    plugin = ModelCounter(ModelCounterConfig())
    for model, status in (("fast", 200), ("fast", 200), ("fast", 502), ("strong", 200), (None, 401)):
        count(plugin, model, status)
    assert plugin.counts == {"fast": {"ok": 2, "failed": 1}, "strong": {"ok": 1, "failed": 0}}


def test_the_memory_it_takes_is_bounded() -> None:
    plugin = ModelCounter(ModelCounterConfig(most_models=2))
    for number in range(100):
        count(plugin, f"model-{number}")
    count(plugin, "model-0")
    assert plugin.counts["model-0"]["ok"] == 2
    assert plugin.counts[OTHERS]["ok"] == 98
    assert len(plugin.counts) == 3


async def test_the_gateway_serves_the_counts_to_its_admin_alone(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    running = await gateway(
        {
            "model_list": [openai_row("fast", scripted_upstream.base_url, "small-1")],
            "router_settings": {"num_retries": 0},
            "routeiq": {"plugins": {"model-counter": {}}},
        }
    )
    assert (await running.chat("fast"))[0] == 200
    scripted_upstream.script(Reply.error(400, "invalid_request_error", "no"))
    assert (await running.chat("fast"))[0] == 400
    await running.recorded(2)
    async with running.session.get(PATH) as answer:
        assert await answer.json() == {"small-1": {"ok": 1, "failed": 1}}
    async with running.session.get(PATH, headers={"authorization": "Bearer sk-somebody-else"}) as answer:
        assert answer.status == 401
