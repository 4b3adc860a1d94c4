"""What every plugin and every strategy promises, with a router trained here and with nothing configured at all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from routeiq_routing_ml.artifact.keys import signing_key
from routeiq_routing_ml.artifact.writer import write
from routeiq_routing_ml.plugin import RoutingMl
from routeiq_sdk.testing import FakeGateway, PluginContract, StrategyContract, make_context, make_groups, running
from routeiq_sdk.values.health import Health

from .model.trained import packed


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Configuration that names a router for small, medium and large, and the key that signed it."""
    root = tmp_path_factory.mktemp("contract")
    _, manifest, arrays = packed("knn")
    write(root / "router", manifest, arrays, signing_key(root / "keys"))
    return {"artifact": str(root / "router"), "trusted_keys": [str(root / "keys" / "signing.pub")], "seed": 3}


class Trained(StrategyContract):
    plugin = RoutingMl
    name = "routing-ml"
    more: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(autouse=True)
    def configured(self, artifact: dict[str, Any]) -> Iterator[None]:
        type(self).config = {**artifact, **self.more}
        yield
        type(self).config = {}


class TestTheHook(Trained):
    def test_it_knows_what_each_model_is_good_at(self) -> None:
        code = "Write a Python function that sorts a list of number 9 items; def solve(xs): return xs"
        groups = tuple(self.groups)
        (decision,) = self.decisions([(code, groups)])
        assert decision is not None
        assert decision.chosen.model == "medium"
        assert decision.strategy == "knn"


class TestTheStrategyByName(Trained):
    strategy = "knn"


class TestTheStrategyByLlmroutersName(Trained):
    strategy = "llmrouter-smallest"


class TestExploration(Trained):
    more: ClassVar[dict[str, Any]] = {"explore": 0.5}

    def test_a_choice_by_lot_is_told_with_its_chance(self) -> None:
        answers = self.decisions([(self.prompts[1], tuple(self.groups))] * 60)
        chances = {answer.propensity for answer in answers if answer is not None}
        assert len({answer.chosen.model for answer in answers if answer is not None}) == 3
        assert sorted(chances) == pytest.approx([0.5 / 3, 0.5 + 0.5 / 3])


class TestTheBandit(StrategyContract):
    plugin = RoutingMl
    name = "routing-ml"
    config = {"bandit": True, "seed": 3}
    strategy = "bandit"


class TestNothingConfigured(PluginContract):
    plugin = RoutingMl
    name = "routing-ml"
    group = "routeiq.strategies"

    async def test_it_leaves_every_choice_to_others_and_is_well(self) -> None:
        async with running(self.make(), FakeGateway("routing-ml")) as plugin:
            assert isinstance(plugin, RoutingMl)
            groups = make_groups()
            assert await plugin.select_model(make_context(), groups) is None
            assert await plugin.rank(make_context(), groups, "knn") is None
            assert plugin.pick(make_context(), groups[0], groups[0].deployments, "knn") is None
            await plugin.authorize(make_context(routeiq={"profile": "nonsense"}))
            assert await plugin.health_check() == Health()

    @pytest.mark.parametrize("module", ["plugin", "config"])
    def test_importing_it_brings_no_numbers_and_no_learning(self, module: str) -> None:
        heavy = ("numpy", "scipy", "sklearn", "joblib", "matplotlib", "safetensors", "skops")
        code = f"import sys, routeiq_routing_ml.{module}; print([n for n in {heavy} if n in sys.modules])"
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
        assert run.stdout.strip() == "[]", run.stderr

    def test_set_up_without_a_configuration_brings_none_either(self) -> None:
        code = (
            "import asyncio, sys\n"
            "from routeiq_routing_ml.plugin import RoutingMl\n"
            "asyncio.run(RoutingMl(RoutingMl.Config()).setup(None))\n"
            "print([n for n in ('numpy', 'sklearn') if n in sys.modules])"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
        assert run.stdout.strip() == "[]", run.stderr


async def test_a_missing_artifact_is_told_in_health_and_requests_go_on(tmp_path: Path) -> None:
    plugin = RoutingMl(RoutingMl.Config.model_validate({"artifact": str(tmp_path / "none"), "reload_seconds": 0}))
    async with running(plugin, FakeGateway("routing-ml")):
        health = await plugin.health_check()
        assert health.status == "degraded"
        assert "no such folder" in str(health)
        assert await plugin.select_model(make_context(), make_groups()) is None
