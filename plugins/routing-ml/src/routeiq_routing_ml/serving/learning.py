"""What learns while the gateway serves: experiments, exploration, feedback, corrections, the bandit, shadows.

Each part is a module of its own; here they are bound to one plugin's configuration and gateway.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from routeiq_routing_ml.config import MlConfig
from routeiq_routing_ml.scorers.base import Floats
from routeiq_routing_ml.serving import experiments
from routeiq_routing_ml.serving.bandit import Bandit
from routeiq_routing_ml.serving.decide import Made, Setting
from routeiq_routing_ml.serving.feedback import Feedback, Remembered, announce, give, listen, remember
from routeiq_routing_ml.serving.loading import Loaded
from routeiq_routing_ml.serving.online import Corrections
from routeiq_routing_ml.serving.prompt import Prompt
from routeiq_routing_ml.serving.wishes import Wish
from routeiq_sdk import Candidate, Context, Decision, Event, Gateway, ModelGroup, Record, Usage
from routeiq_sdk.values.http import HttpRequest, HttpResponse

log = structlog.get_logger("routeiq.routing-ml")

BANDIT = "bandit"
_MOST_QUEUED = 10_000
_SAVE_EVERY = 20
"""Scores between two writes of what was learned."""
_ANSWER_TOKENS = 300
_PENALTY = {"quality": 0.0, "balanced": 0.1, "economy": 0.3, "floor": 0.3}
"""What the bandit takes from the dearest model's quality: it has no data to calibrate a lambda on."""


@dataclass(frozen=True, slots=True)
class _Note:
    """What a decision leaves in its request's context until the answer is out."""

    router: str
    digest: str
    chosen: str
    predicted: Mapping[str, tuple[str, float]]
    directions: Floats
    propensity: float


class Learning:
    """One plugin's learning parts. With nothing configured they cost next to nothing."""

    def __init__(self, config: MlConfig, gateway: Gateway) -> None:
        self._config = config
        self._gateway = gateway
        self._experiment = config.experiment.dealer() if config.experiment is not None else None
        self._bandit = Bandit(tuple(sorted(gateway.groups)), seed=config.seed) if config.bandit else None
        self._corrections: dict[str, tuple[str, Corrections]] = {}
        """By router name: the artifact's digest, and what feedback taught about it."""
        self._queue: deque[Remembered] = deque(maxlen=_MOST_QUEUED)
        self._waiting = asyncio.Event()
        self._heard = 0
        self._shadows: Counter[tuple[str, bool]] = Counter()

    async def open(self) -> None:
        """Begin to remember decisions and to hear of feedback, of other workers too."""
        ready = asyncio.Event()
        state = self._gateway.state
        if self._bandit is not None:
            self._restore(BANDIT, self._bandit)
        self._gateway.spawn("remember decisions", self._write)
        self._gateway.spawn("hear feedback", lambda: listen(state, self._learn, ready.set))
        async with asyncio.timeout(5):
            await ready.wait()

    def assigned(self, ctx: Context) -> tuple[str | None, Mapping[str, Any]]:
        """The router of the request's variant and the experiment's record; `None` without an experiment."""
        if self._experiment is None:
            return None, {}
        assignment = self._experiment.assign(ctx)
        return assignment.variant, assignment.record()

    def explored(self, rng: random.Random, count: int, best: int) -> tuple[int, float]:
        """The candidate to call, and its propensity."""
        return experiments.explore(rng, self._config.explore, count, best)

    def corrector(self, loaded: Loaded) -> Corrections | None:
        """What feedback taught about a router; `None` unless corrections are on."""
        if not self._config.adaptive.enabled:
            return None
        known = self._corrections.get(loaded.name)
        if known is not None and known[0] == loaded.digest:
            return known[1]
        router = loaded.packed.main
        made = Corrections(
            router.models,
            router.doubt.precision,
            router.doubt.noise,
            forgetting=self._config.adaptive.forgetting,
            artifact=loaded.digest,
        )
        self._restore(loaded.name, made)
        self._corrections[loaded.name] = (loaded.digest, made)
        return made

    def note(self, ctx: Context, loaded: Loaded, made: Made) -> None:
        """Keep what feedback on a decision will need."""
        chosen = made.decision.chosen.model
        name = made.predicted.get(chosen, (chosen, 0.0))[0]
        note = _Note(loaded.name, loaded.digest, name, made.predicted, made.directions, made.decision.propensity)
        ctx.keep(self, note)

    def bandit_decision(
        self, ctx: Context, prompt: Prompt, groups: Sequence[ModelGroup], wish: Wish, setting: Setting
    ) -> Decision | None:
        """A choice learned from feedback alone; `None` unless the bandit is on."""
        bandit = self._bandit
        if bandit is None:
            return None
        known = [group for group in groups if group.name in bandit.models]
        if not known:
            return None
        context = bandit.context(prompt.text)
        costs = np.zeros(len(bandit.models))
        for group in known:
            usage = Usage(round(prompt.tokens), _ANSWER_TOKENS)
            costs[bandit.models.index(group.name)] = group.price.cost(usage) * 1e-9 if group.price is not None else 0.0
        weight = wish.weight if wish.weight is not None else _PENALTY[wish.profile] / max(float(costs.max()), 1e-12)
        choice = bandit.choose(context, weight * costs, [bandit.models.index(group.name) for group in known])
        utility = choice.sampled - weight * costs
        utility[choice.index] = max(utility[bandit.models.index(group.name)] for group in known)
        columns = {group.name: bandit.models.index(group.name) for group in known}
        ranked = sorted(columns, key=lambda name: (columns[name] != choice.index, -utility[columns[name]]))
        candidates = tuple(
            Candidate(
                name,
                float(utility[columns[name]]),
                quality=float(np.clip(choice.mean[columns[name]], 0, 1)),
                cost=round(float(costs[columns[name]]) * 1e9),
                uncertainty=float(choice.spread[columns[name]]),
            )
            for name in ranked
        )
        reason = f"the bandit drew {ranked[0]} after {bandit.outcomes} scored answers"
        attributes = {"router": BANDIT, "profile": wish.profile, "profile_by": wish.said_by}
        predicted = {name: (name, float(np.clip(choice.mean[column], 0, 1))) for name, column in columns.items()}
        ctx.keep(self, _Note(BANDIT, "", ranked[0], predicted, context, choice.propensity))
        return Decision(BANDIT, candidates, reason, choice.propensity, "1", attributes)

    def remember(self, ctx: Context, record: Record) -> None:
        """A request is over; if it was answered by a model that the router knows, feedback may come. Never waits."""
        note = ctx.kept(self, _Note)
        if note is None or record.decision_id is None or record.status >= 400 or record.group is None:
            return
        called = note.predicted.get(record.group)
        if called is None:
            return
        name, quality = called
        self._queue.append(
            Remembered(
                decision_id=record.decision_id,
                principal=record.principal or "",
                router=note.router,
                digest=note.digest,
                chosen=note.chosen,
                called=name,
                predicted=quality,
                directions=tuple(note.directions.astype(np.float16).astype(float).tolist()),
                propensity=note.propensity,
                at=record.at,
            )
        )
        self._waiting.set()

    async def feedback(self, request: HttpRequest) -> HttpResponse:
        """`POST /routeiq/v1/feedback`. Raises `RequestError`."""
        assert request.principal is not None
        told = Feedback.parse(request.body)
        await self._write_all()
        scored = await give(self._gateway.state, told, request.principal)
        await announce(self._gateway.state, scored)
        payload = {
            "decision_id": scored.decision_id,
            "router": scored.router,
            "artifact": scored.digest,
            "model": scored.called,
            "chosen": scored.chosen,
            "predicted": scored.predicted,
            "propensity": scored.propensity,
            "score": scored.score,
        }
        self._gateway.emit(Event("routeiq.feedback.v1", self._gateway.clock.now_ns(), payload))
        learns = self._config.adaptive.enabled or scored.router == BANDIT
        return HttpResponse.json({"decision_id": scored.decision_id, "model": scored.called, "learned": learns})

    def count_shadow(self, name: str, agrees: bool) -> None:
        """A silent router decided."""
        self._shadows[name, agrees] += 1

    def status(self) -> dict[str, Any]:
        """For people."""
        shadows = {
            name: {"decisions": agreed + differed, "agreed": agreed}
            for name in self._config.shadow
            for agreed, differed in [(self._shadows[name, True], self._shadows[name, False])]
        }
        corrections = {name: made.outcomes for name, (_, made) in self._corrections.items()}
        bandit = None if self._bandit is None else {"outcomes": self._bandit.outcomes}
        return {"shadows": shadows, "feedback": self._heard, "corrections": corrections, "bandit": bandit}

    async def _write(self) -> None:
        while True:
            await self._waiting.wait()
            self._waiting.clear()
            try:
                await self._write_all()
            except Exception as error:  # a store that fails costs feedback, never a request
                log.warning("decisions are not remembered for feedback", error=type(error).__name__)

    async def _write_all(self) -> None:
        while self._queue:
            await remember(self._gateway.state, self._queue.popleft())

    def _learn(self, scored: Remembered) -> None:
        self._heard += 1
        try:
            if scored.router == BANDIT and self._bandit is not None and scored.called in self._bandit.models:
                self._bandit.learn(scored.vector, self._bandit.models.index(scored.called), scored.score or 0.0)
                self._save_sometimes(BANDIT, self._bandit)
                return
            known = self._corrections.get(scored.router)
            if known is None or known[0] != scored.digest or scored.residual is None:
                return
            models = known[1].models
            known[1].learn(scored.vector, models.index(scored.called), scored.residual)
            self._save_sometimes(scored.router, known[1])
        except ValueError as error:
            log.warning("feedback was not learned", router=scored.router, reason=str(error))

    def _restore(self, name: str, part: Corrections | Bandit) -> None:
        try:
            part.restore(self._path(name).read_bytes())
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            log.warning("what feedback taught before cannot be read", router=name, reason=str(error))

    def _save_sometimes(self, name: str, part: Corrections | Bandit) -> None:
        if part.outcomes % _SAVE_EVERY == 0:
            self._save(name, part)

    def _save(self, name: str, part: Corrections | Bandit) -> None:
        path = self._path(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh = path.with_suffix(f".{os.getpid()}")
            fresh.write_bytes(part.state())
            fresh.replace(path)
        except OSError as error:
            log.warning("what feedback taught cannot be kept", router=name, reason=str(error))

    def _path(self, name: str) -> Path:
        return self._gateway.data_dir / "learned" / f"{name}.state"

    def close(self) -> None:
        """Keep what was learned since the last write."""
        for name, (_, made) in self._corrections.items():
            if made.outcomes:
                self._save(name, made)
        if self._bandit is not None and self._bandit.outcomes:
            self._save(BANDIT, self._bandit)
