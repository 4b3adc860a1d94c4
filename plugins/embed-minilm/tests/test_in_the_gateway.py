"""The plugin in a whole gateway: named in the YAML, ready, and at the service of another plugin's strategy."""

from __future__ import annotations

import pytest

from routeiq_sdk import PluginError
from routeiq_testkit import MODELS, SimulatedModels
from routeiq_testkit.gateway import openai_row
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

BY_MEANING = """
    import asyncio

    from routeiq_sdk import Candidate, Decision, Need, Plugin, hookimpl

    ABOUT = {"sim-coder": "programming and source code", "sim-swift": "small talk and greetings"}


    class Fixture(Plugin):
        needs = frozenset({Need.READS_BODY})

        @hookimpl
        async def setup(self, gateway):
            self.minilm = gateway.embedders["minilm"]
            self.about = await asyncio.to_thread(self.minilm.embed, list(ABOUT.values()))

        @hookimpl
        async def select_model(self, ctx, groups):
            (text,) = await asyncio.to_thread(self.minilm.embed, [ctx.request.last_user_text()])
            scores = dict(zip(ABOUT, (self.about @ text).tolist(), strict=True))
            ranked = sorted(groups, key=lambda group: -scores.get(group.name, -1.0))
            candidates = tuple(Candidate(group.name, score=scores.get(group.name, -1.0)) for group in ranked)
            return Decision("by-meaning", candidates, self.minilm.fingerprint, propensity=1.0, version="1")
"""


def config(base_url: str, **plugins: object) -> dict[str, object]:
    return {
        "model_list": [openai_row(model.name, base_url, model.name) for model in MODELS],
        "routeiq": {
            "virtual_models": {"auto": {"models": [model.name for model in MODELS]}},
            "plugins": plugins,
        },
    }


async def test_a_strategy_of_another_plugin_chooses_by_meaning(
    gateway: StartGateway, simulated_models: SimulatedModels, plugin_folder: PluginFolder
) -> None:
    plugin_folder.install("by-meaning", BY_MEANING, kind="strategy")
    running = await gateway(config(simulated_models.base_url, **{"by-meaning": {}, "embed-minilm": {}}))
    async with running.session.get("/health/readiness") as ready:
        assert ready.status == 200
    for text, model in (("Why does this Rust function not compile?", "sim-coder"), ("Hi, how are you?", "sim-swift")):
        status, headers, body = await running.chat("auto", text)
        assert status == 200, body
        assert (headers["x-routeiq-strategy"], headers["x-routeiq-model"]) == ("by-meaning", model)


async def test_another_file_than_the_pinned_one_stops_the_start(
    gateway: StartGateway, simulated_models: SimulatedModels
) -> None:
    with pytest.raises(PluginError, match=r"'embed-minilm'.*has the sha256.*Mend"):
        await gateway(config(simulated_models.base_url, **{"embed-minilm": {"sha256": "0" * 64}}))
