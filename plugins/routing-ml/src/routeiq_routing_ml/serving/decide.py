"""One decision: candidates with quality, cost and doubt, ranked by what the request wants, with the reason in words.

Which router decides, and with which vector, is chosen by the caller. Nothing here waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from routeiq_routing_ml.features.space import Points
from routeiq_routing_ml.model.doubt import directions
from routeiq_routing_ml.model.policy import Policy, Prediction, cheapest_best
from routeiq_routing_ml.model.router import LearnedRouter
from routeiq_routing_ml.scorers.base import Floats
from routeiq_routing_ml.scorers.ensemble import Ensemble
from routeiq_routing_ml.scorers.neighbours import Neighbours
from routeiq_routing_ml.serving.catalog import Names, live_costs
from routeiq_routing_ml.serving.wishes import Wish
from routeiq_sdk import Candidate, Decision, ModelGroup

_NANO = 10**9
_NEIGHBOURS = 5


class Corrector(Protocol):
    """Adds what feedback taught; see `online.Corrections`."""

    def correct(self, directions: Floats) -> Floats:
        """Additions (n, m) to predicted qualities."""


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt in a router's space, with its length in tokens."""

    points: Points
    tokens: float


@dataclass(frozen=True, slots=True)
class Setting:
    """What does not change from request to request: names, the default group, the operator's margins, exploration.

    `explore` takes the number of candidates and the best one's index, and gives the index to call and its propensity.
    """

    names: Names
    default_model: str | None
    margin: float | None
    tolerance: float | None
    explore: Callable[[int, int], tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Made:
    """A decision and what feedback on it will need.

    `predicted` gives for each group that the router knows the model's training name and its quality as the artifact
    predicts it, before corrections. `directions` (k,) is where the prompt lies.
    """

    decision: Decision
    predicted: Mapping[str, tuple[str, float]]
    directions: Floats


def policy_for(policy: Policy, weights: Mapping[str, float], wish: Wish, setting: Setting) -> Policy:
    """The artifact's policy as the wish and the operator want it."""
    found = replace(
        policy,
        weight=wish.weight if wish.weight is not None else weights.get(wish.profile, 0.0),
        cautious=wish.weight is None,
        floor=wish.profile == "floor",
    )
    if setting.margin is not None:
        found = replace(found, margin=setting.margin, new_margin=min(found.new_margin, setting.margin))
    return found if setting.tolerance is None else replace(found, tolerance=setting.tolerance)


def decide(
    router: LearnedRouter,
    question: Question,
    groups: Sequence[ModelGroup],
    policy: Policy,
    setting: Setting,
    *,
    strategy: str,
    version: str,
    corrector: Corrector | None = None,
    attributes: Mapping[str, Any] | None = None,
    explain: bool = False,
) -> Made | None:
    """Rank `groups`; those that the router does not know come last. `None` when it knows none of them.

    With `explain` the decision also tells which training prompts were nearest.
    """
    columns = setting.names.columns_of_groups(router.models, groups)
    known = [(group, column) for group, column in zip(groups, columns, strict=True) if column is not None]
    if not known:
        return None
    full = router.predict(question.points, np.array([question.tokens]))
    prediction = _expected(router, full, question, known, corrector)
    default = _default(router, known, setting)
    utility = policy.utility(prediction, default)[0]
    best = int(cheapest_best(utility[None], prediction.cost)[0])
    favourite = best
    if best == default:  # would it have been another without the margin?
        plain = replace(policy, margin=0.0, new_margin=0.0).utility(prediction, default)
        favourite = int(cheapest_best(plain, prediction.cost)[0])
    chosen, propensity = setting.explore(len(known), best)
    order = sorted(range(len(known)), key=lambda i: (i != chosen, -utility[i], prediction.cost[0, i]))
    scores = [float(utility[i]) for i in order]
    scores[0] = max(scores)  # one drawn by lot is called first all the same
    reasons = {chosen: _reason(known, prediction, best, favourite, default, chosen)}
    candidates = [
        _candidate(known[i][0].name, score, prediction, i, reasons.get(i, ""))
        for i, score in zip(order, scores, strict=True)
    ]
    unknown = [group.name for group, column in zip(groups, columns, strict=True) if column is None]
    last = scores[-1]
    candidates += [
        Candidate(name, last - 1 - place, reason="not known to the router") for place, name in enumerate(unknown)
    ]
    told = {
        "lambda": policy.weight,
        "margin": round(float(utility[order[0]] - utility[order[1]]), 6) if len(order) > 1 else None,
        "abstained": default is not None and best == default != favourite,
        "new_kind": bool(prediction.new[0]),
        "explored": chosen != best,
        **(attributes or {}),
        **(_nearest(router, question.points) if explain else {}),
    }
    return Made(
        Decision(strategy, tuple(candidates), reasons[chosen], propensity, version, told),
        {group.name: (router.models[column], float(full.quality[0, column])) for group, column in known},
        directions(question.points)[0],
    )


def _expected(
    router: LearnedRouter,
    full: Prediction,
    question: Question,
    known: Sequence[tuple[ModelGroup, int]],
    corrector: Corrector | None,
) -> Prediction:
    """Predictions for the known groups only, (1, k), at live prices where all of them have one."""
    columns = [column for _, column in known]
    quality = full.quality[:, columns]
    if corrector is not None:
        quality = np.clip(quality + corrector.correct(directions(question.points))[:, columns], 0.0, 1.0)
    cost = full.cost[:, columns]
    if router.costs.knows_answers:
        answers = router.costs.answer_tokens(router.costs.votes(question.points))[0, columns]
        live = live_costs([group.price for group, _ in known], question.tokens, answers)
        cost = cost if live is None else live[None]
    return Prediction(quality, cost, full.uncertainty[:, columns], full.new)


def _default(router: LearnedRouter, known: Sequence[tuple[ModelGroup, int]], setting: Setting) -> int | None:
    """The place of the model to abstain to: the operator's, else the best single model of the training data."""
    for place, (group, column) in enumerate(known):
        if group.name == setting.default_model if setting.default_model is not None else column == router.default:
            return place
    return None


def _candidate(name: str, score: float, prediction: Prediction, place: int, reason: str) -> Candidate:
    return Candidate(
        name,
        score,
        quality=float(prediction.quality[0, place]),
        cost=max(0, round(float(prediction.cost[0, place]) * _NANO)),
        uncertainty=float(prediction.uncertainty[0, place]),
        reason=reason,
    )


def _reason(
    known: Sequence[tuple[ModelGroup, int]],
    prediction: Prediction,
    best: int,
    favourite: int,
    default: int | None,
    chosen: int,
) -> str:
    name = known[chosen][0].name
    if chosen != best:
        return f"drawn by lot to learn about {name}"
    if len(known) == 1:
        return f"{name} is the only candidate that the router knows"
    if chosen == default and favourite != default:
        other = known[favourite][0].name
        kind = " on a prompt of a new kind" if prediction.new[0] else ""
        return f"the default model: {other} is not clearly better{kind}"
    quality, cost = prediction.quality[0], prediction.cost[0]
    if quality[chosen] >= quality.max():
        return f"{name} has the best expected answer ({quality[chosen]:.2f})"
    top = int(quality.argmax())
    saved = 1 - cost[chosen] / cost[top] if cost[top] > 0 else 0.0
    return (
        f"{name} is expected to answer nearly as well as {known[top][0].name} "
        f"({quality[chosen]:.2f} against {quality[top]:.2f}) for {saved:.0%} less"
    )


def _nearest(router: LearnedRouter, points: Points) -> dict[str, Any]:
    """Which training prompts spoke loudest, by number: an artifact holds no prompts."""
    scorer = router.scorer
    store = scorer.neighbours if isinstance(scorer, Ensemble) else scorer
    if not isinstance(store, Neighbours):
        return {}
    rows, similarities = store.nearest(points, _NEIGHBOURS)
    return {
        "neighbours": [
            {
                "row": int(row),
                "similarity": round(float(similarity), 4),
                "scores": [round(float(value), 3) for value in store.values[row]],
            }
            for row, similarity in zip(rows[0], similarities[0], strict=True)
        ]
    }
