"""What is behind the plugin's hooks once something is configured: picks the router, the vector and the wish; decides.

Imported at set-up only: a gateway without learned routing does not pay for numpy.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from routeiq_routing_ml.config import MAIN, MlConfig
from routeiq_routing_ml.model.packing import Packed
from routeiq_routing_ml.model.router import LearnedRouter
from routeiq_routing_ml.serving.catalog import Names
from routeiq_routing_ml.serving.decide import Made, Question, Setting, decide, policy_for
from routeiq_routing_ml.serving.embedding import Embedding, EmbeddingFailed
from routeiq_routing_ml.serving.learning import Learning
from routeiq_routing_ml.serving.loading import Loaded, Routers
from routeiq_routing_ml.serving.prompt import Prompt, prompt_of
from routeiq_routing_ml.serving.threads import one_thread
from routeiq_routing_ml.serving.wishes import Wish, wish_of
from routeiq_sdk import Context, Decision, Deployment, Event, Gateway, ModelGroup, Record
from routeiq_sdk.values.health import Health

log = structlog.get_logger("routeiq.routing-ml")

_EXPLAIN = "/routeiq/v1/route"
_MOST_SHADOWS = 64
"""Silent decisions under way at once; further ones are left out rather than queued."""


@dataclass(frozen=True, slots=True)
class Sight:
    """A prompt as one router sees it; `short_of` says why a stand-in sees it instead."""

    router: LearnedRouter
    question: Question
    short_of: str | None = None


class Engine:
    """One configured plugin at work."""

    def __init__(self, config: MlConfig, gateway: Gateway) -> None:
        self._config = config
        self._gateway = gateway
        self._rng = random.Random(config.seed)  # noqa: S311 (exploration, not a secret)
        self.routers = Routers(
            config.routers,
            keys_dir=gateway.keys_dir,
            trusted_keys=config.trusted_keys,
            memory=gateway.data_dir / "versions",
            allowed_estimators=config.allowed_estimators,
        )
        self.setting = Setting(
            Names(config.models), config.default_model, config.margin, config.tolerance, self._explore
        )
        self.learning = Learning(config, gateway)
        self._embeddings: dict[str, Embedding] = {}
        self._shadows = 0

    async def open(self) -> None:
        """Load what there is, and keep looking for newer."""
        one_thread()
        await self._look()
        if self._config.routers and self._config.reload_seconds:
            self._gateway.spawn("watch artifacts", self._watch)
        await self.learning.open()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._config.reload_seconds)
            await self._look()

    async def _look(self) -> None:
        """Swap in what is new, and be ready to hear feedback on it, also before this worker's first decision."""
        for name in await self.routers.refresh():
            self.learning.corrector(self.routers.current[name])

    def close(self) -> None:
        """Let go of threads; keep what was learned."""
        self.learning.close()
        for embedding in self._embeddings.values():
            embedding.close()

    async def rank(self, ctx: Context, groups: Sequence[ModelGroup], strategy: str | None = None) -> Decision | None:
        """The decision for a request; `strategy` when the virtual model names one. `None` leaves it to others."""
        experiment: Mapping[str, Any] = {}
        if strategy is None:
            name, experiment = self.learning.assigned(ctx)
            loaded = self.routers.current.get(name or MAIN)
            if loaded is None and name is None and len(self._config.routers) == 1:
                loaded = next(iter(self.routers.current.values()), None)
        else:
            loaded = self.routers.of_strategy(strategy)
        prompt = prompt_of(ctx)
        wish = wish_of(ctx, self._config)
        if loaded is None:
            return self.learning.bandit_decision(ctx, prompt, groups, wish, self.setting)
        sight = await self._see(loaded, prompt)
        made = self._made(ctx, loaded, sight, groups, wish, experiment)
        if made is None:
            return None
        self.learning.note(ctx, loaded, made)
        self._decide_in_silence(ctx, prompt, groups, wish, made.decision)
        return made.decision

    def pick(
        self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment], strategy: str
    ) -> Deployment | None:
        """One deployment of a group, by the model behind it. It may not wait, so hashing alone sees the prompt."""
        loaded = self.routers.of_strategy(strategy)
        if loaded is None:
            return None
        router, prompt = loaded.packed.plain, prompt_of(ctx)
        columns = self.setting.names.columns_of_deployments(router.models, deployments)
        stand_ins = [
            (ModelGroup(deployment.id, (deployment,)), column)
            for deployment, column in zip(deployments, columns, strict=True)
            if column is not None
        ]
        if not stand_ins:
            return None
        pool = Names({router.models[column]: group.name for group, column in stand_ins})
        setting = Setting(pool, None, self._config.margin, self._config.tolerance, lambda count, best: (best, 1.0))
        policy = policy_for(loaded.packed.policy, loaded.packed.weights, wish_of(ctx, self._config), setting)
        made = decide(
            router,
            Question(router.points([prompt.text]), prompt.tokens),
            [group for group, _ in stand_ins],
            policy,
            setting,
            strategy=strategy,
            version=str(loaded.version),
        )
        return next(d for d in deployments if made is not None and d.id == made.decision.chosen.model)

    def record(self, ctx: Context, record: Record) -> None:
        """A routed request is over: remember it for feedback."""
        self.learning.remember(ctx, record)

    def health(self) -> Health:
        """Degraded while an artifact is refused: requests are served, with an older router or the default model."""
        if not self.routers.problems:
            return Health()
        return Health("degraded", "; ".join(f"{name}: {why}" for name, why in sorted(self.routers.problems.items())))

    def status(self) -> dict[str, Any]:
        """What is loaded, for people."""
        return {
            "routers": {
                name: {
                    "strategy": loaded.strategy,
                    "version": loaded.version,
                    "digest": loaded.digest,
                    "pool": list(loaded.packed.main.models),
                    "default": loaded.packed.main.models[loaded.packed.main.default],
                    "embedder": loaded.packed.embedder or "hashing",
                    "lambda": dict(loaded.packed.weights),
                }
                for name, loaded in self.routers.current.items()
            },
            "problems": dict(self.routers.problems),
            **self.learning.status(),
        }

    def _made(
        self,
        ctx: Context,
        loaded: Loaded,
        sight: Sight,
        groups: Sequence[ModelGroup],
        wish: Wish,
        experiment: Mapping[str, Any],
    ) -> Made | None:
        attributes: dict[str, Any] = {
            "router": loaded.name,
            "profile": wish.profile,
            "profile_by": wish.said_by,
            "artifact": loaded.digest[:16],
        }
        if experiment:
            attributes["experiment"] = dict(experiment)
        if sight.short_of is not None:
            attributes["stand_in"] = sight.short_of
        return decide(
            sight.router,
            sight.question,
            groups,
            policy_for(loaded.packed.policy, loaded.packed.weights, wish, self.setting),
            self.setting,
            strategy=loaded.strategy,
            version=str(loaded.version),
            corrector=self.learning.corrector(loaded) if sight.short_of is None else None,
            attributes=attributes,
            explain=ctx.route == _EXPLAIN,
        )

    async def _see(self, loaded: Loaded, prompt: Prompt) -> Sight:
        packed = loaded.packed
        if packed.embedder is None:
            return Sight(packed.main, Question(packed.main.points([prompt.text]), prompt.tokens))
        try:
            vector = await self._embedding(packed).vector(prompt.text)
            return Sight(packed.main, Question(packed.main.points([prompt.text], vector), prompt.tokens))
        except (EmbeddingFailed, ValueError) as error:
            stand_in = Question(packed.plain.points([prompt.text]), prompt.tokens)
            return Sight(packed.plain, stand_in, str(error))

    def _embedding(self, packed: Packed) -> Embedding:
        name = str(packed.embedder)
        found = self._embeddings.get(name)
        if found is None:
            embedder = self._gateway.embedders.get(name)
            if embedder is None:
                raise EmbeddingFailed(f"no loaded plugin offers the embedder {name}")
            found = Embedding(embedder, seconds=self._config.embed_seconds, cache=self._config.embed_cache)
            self._embeddings[name] = found
        if found.fingerprint != packed.fingerprint:
            raise EmbeddingFailed(f"the artifact was trained with another version of the embedder {name}")
        return found

    def _explore(self, count: int, best: int) -> tuple[int, float]:
        return self.learning.explored(self._rng, count, best)

    def _decide_in_silence(
        self, ctx: Context, prompt: Prompt, groups: Sequence[ModelGroup], wish: Wish, decision: Decision
    ) -> None:
        names = [name for name in self._config.shadow if name != decision.attributes.get("router")]
        if not names or self._shadows >= _MOST_SHADOWS:
            return
        self._shadows += 1
        decision_id, route = ctx.decision_id, ctx.route

        async def compare() -> None:
            try:
                for name in names:
                    loaded = self.routers.current.get(name)
                    if loaded is None or route == _EXPLAIN:
                        continue
                    sight = await self._see(loaded, prompt)
                    made = self._made(ctx, loaded, sight, groups, wish, {})
                    if made is not None:
                        self._tell_shadow(decision_id, name, made.decision, decision)
            finally:
                self._shadows -= 1

        self._gateway.spawn("decide in silence", compare)

    def _tell_shadow(self, decision_id: str | None, name: str, silent: Decision, real: Decision) -> None:
        agrees = silent.chosen.model == real.chosen.model
        self.learning.count_shadow(name, agrees)
        payload = {
            "decision_id": decision_id,
            "router": name,
            "strategy": silent.strategy,
            "version": silent.version,
            "model": silent.chosen.model,
            "quality": silent.chosen.quality,
            "cost": silent.chosen.cost,
            "called": real.chosen.model,
            "agrees": agrees,
        }
        self._gateway.emit(Event("routeiq.shadow_decision.v1", self._gateway.clock.now_ns(), payload))
