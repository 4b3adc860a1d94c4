"""The plugin in a whole gateway: found by its entry point, asked over HTTP, told in the decision record."""

from __future__ import annotations

import pytest

from routeiq_sdk import PluginError
from routeiq_testkit import MODELS, SimulatedModels
from routeiq_testkit.gateway import openai_row
from routeiq_testkit.pytest_plugin import StartGateway


def config(base_url: str, **rules: object) -> dict[str, object]:
    return {
        "model_list": [openai_row(model.name, base_url, model.name) for model in MODELS],
        "routeiq": {
            "virtual_models": {"auto": {"models": [model.name for model in MODELS]}},
            "plugins": {"routing-rules": rules},
        },
    }


async def test_a_rule_chooses_the_model_that_answers(gateway: StartGateway, simulated_models: SimulatedModels) -> None:
    coder = {"when": {"any_words": ["rust"]}, "model": "sim-coder", "reason": "code"}
    running = await gateway(config(simulated_models.base_url, rules=[coder], default="sim-swift"))
    for text, model in (("Why does my Rust code not compile?", "sim-coder"), ("Hello!", "sim-swift")):
        status, headers, body = await running.chat("auto", text)
        assert status == 200, body
        assert (headers["x-routeiq-strategy"], headers["x-routeiq-model"]) == ("routing-rules", model)
    hello, rust = await running.recorded(2)
    assert rust.decision is not None
    assert hello.decision is not None
    assert (rust.decision.reason, hello.decision.reason) == ("code", "no rule holds: the default model")


async def test_a_rule_for_an_unknown_model_stops_the_start(
    gateway: StartGateway, simulated_models: SimulatedModels
) -> None:
    with pytest.raises(PluginError, match="do not exist: sim-nobody"):
        await gateway(config(simulated_models.base_url, default="sim-nobody"))
