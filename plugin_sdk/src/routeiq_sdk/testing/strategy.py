"""The contract of strategies that rank models.

Whether a ranking is a good one is measured by evaluation, not here.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from routeiq_sdk.context import Context
from routeiq_sdk.errors import PluginError
from routeiq_sdk.gateway import DeploymentStrategy, ModelStrategy
from routeiq_sdk.plugin import Plugin
from routeiq_sdk.testing.fakes import make_context, make_groups
from routeiq_sdk.testing.plugin import PluginContract, call_hook, running
from routeiq_sdk.values.decision import Decision
from routeiq_sdk.values.models import ModelGroup

Asked = tuple[str, tuple[ModelGroup, ...]]


class OfferedStrategies:
    """Takes what a `register_strategies` hook offers."""

    def __init__(self) -> None:
        self.models: dict[str, ModelStrategy] = {}
        self.deployments: dict[str, DeploymentStrategy] = {}

    def add_model_strategy(self, name: str, strategy: ModelStrategy) -> None:
        """Take a model strategy."""
        if name in self.models:
            raise PluginError(name, "two model strategies of this name are offered.")
        self.models[name] = strategy

    def add_deployment_strategy(self, name: str, strategy: DeploymentStrategy) -> None:
        """Take a deployment strategy."""
        if name in self.deployments:
            raise PluginError(name, "two deployment strategies of this name are offered.")
        self.deployments[name] = strategy


class StrategyContract(PluginContract):
    """What a strategy promises: a total order, candidates only, the same answer under the same seed, a true propensity.

    A strategy that draws lots takes its seed from `config`. Ranks are asked through `select_model`, or through the
    strategy called `strategy` that `register_strategies` offers.
    """

    group: ClassVar[str] = "routeiq.strategies"
    strategy: ClassVar[str | None] = None
    """Name of the registered strategy under test; `None` for the `select_model` hook."""
    groups: ClassVar[Sequence[ModelGroup]] = make_groups("small", "medium", "large")
    """Candidates. Override them if the strategy knows certain models alone."""
    prompts: ClassVar[Sequence[str]] = (
        "Hello!",
        "Write a Python function that merges two sorted lists.",
        "Prove that the square root of two is irrational.",
        "Übersetze: the cat sat on the mat.",
        "",
        "word " * 5000,
    )
    """Questions. The strategy decides at least one of them."""

    def make_request_context(self, prompt: str) -> Context:
        """The context in which `prompt` is asked. Override it when the strategy reads more than text."""
        return make_context(prompt)

    async def rank(self, plugin: Plugin[Any], ctx: Context, groups: Sequence[ModelGroup]) -> Decision | None:
        """Ask the strategy under test."""
        if self.strategy is None:
            answer: Decision | None = await call_hook(plugin, "select_model", ctx, groups)
            return answer
        offered = OfferedStrategies()
        await call_hook(plugin, "register_strategies", offered)
        return await offered.models[self.strategy].rank(ctx, groups)

    def decisions(self, asked: Sequence[Asked]) -> list[Decision | None]:
        """What a fresh instance decides, one question after the other."""

        async def ask() -> list[Decision | None]:
            async with running(self.make(), self.make_gateway()) as plugin:
                return [await self.rank(plugin, self.make_request_context(text), groups) for text, groups in asked]

        return asyncio.run(ask())

    def pools(self) -> Iterator[tuple[ModelGroup, ...]]:
        """The whole pool, each single candidate, and a few subsets."""
        every = tuple(self.groups)
        yield every
        for group in every:
            yield (group,)
        dice = random.Random(7)  # noqa: S311
        for _ in range(6):
            yield tuple(dice.sample(every, dice.randint(1, len(every))))

    def asked(self) -> list[Asked]:
        """Every question on every pool."""
        return [(prompt, pool) for prompt in self.prompts for pool in self.pools()]

    def made(self) -> list[tuple[Decision, tuple[ModelGroup, ...]]]:
        """Decisions on every question, each with its pool; abstentions left out."""
        asked = self.asked()
        answers = self.decisions(asked)
        return [(answer, pool) for answer, (_, pool) in zip(answers, asked, strict=True) if answer is not None]

    def test_it_decides(self) -> None:
        assert self.made(), "it abstained from every question; give it prompts and groups that it knows"

    def test_its_ranking_is_a_total_order(self) -> None:
        for decision, _ in self.made():
            names = [candidate.model for candidate in decision.candidates]
            scores = [candidate.score for candidate in decision.candidates]
            assert names, "a decision without candidates; return None to abstain"
            assert len(set(names)) == len(names), f"a candidate is ranked twice: {names}"
            assert all(math.isfinite(score) for score in scores), f"a score is not a number: {scores}"
            assert scores == sorted(scores, reverse=True), f"the scores contradict the ranking: {scores}"

    def test_it_never_names_a_model_that_is_no_candidate(self) -> None:
        for decision, pool in self.made():
            strangers = {candidate.model for candidate in decision.candidates} - {group.name for group in pool}
            assert not strangers, f"{strangers} not in the pool {[group.name for group in pool]}"

    def test_it_decides_the_same_under_the_same_seed(self) -> None:
        asked = self.asked()
        assert self.decisions(asked) == self.decisions(asked), "two instances with one configuration disagree"

    def test_its_propensity_is_a_probability(self) -> None:
        for decision, _ in self.made():
            assert 0.0 < decision.propensity <= 1.0, f"{decision.propensity} is not the probability of a choice made"

    def test_it_does_not_claim_certainty_when_it_draws_lots(self) -> None:
        for prompt in self.prompts:
            answers = [answer for answer in self.decisions([(prompt, tuple(self.groups))] * 40) if answer]
            if len({answer.chosen.model for answer in answers}) > 1:
                assert all(answer.propensity < 1.0 for answer in answers), "it chose differently at propensity 1.0"

    def test_its_qualities_and_costs_are_possible(self) -> None:
        for decision, _ in self.made():
            for candidate in decision.candidates:
                assert candidate.quality is None or 0.0 <= candidate.quality <= 1.0, candidate
                assert candidate.cost is None or candidate.cost >= 0, candidate
                assert candidate.uncertainty is None or candidate.uncertainty >= 0.0, candidate
