"""A decision ranks all candidates once, gives its reason in words that are true, and says what it held back."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routeiq_routing_ml.features.space import Points
from routeiq_routing_ml.model.policy import Policy
from routeiq_routing_ml.model.router import LearnedRouter
from routeiq_routing_ml.scorers.base import Floats
from routeiq_routing_ml.serving.catalog import Names
from routeiq_routing_ml.serving.decide import Made, Question, Setting, decide, policy_for
from routeiq_routing_ml.serving.wishes import Wish
from routeiq_sdk import ModelGroup
from routeiq_sdk.testing import make_groups

from ..gateway.gateway_cases import question
from ..model.trained import MODELS, trained

GROUPS = make_groups(*MODELS)
NEUTRAL = Policy(margin=0.0, new_margin=0.0)


def router() -> LearnedRouter:
    return trained("knn").router


def setting(
    explore: Callable[[int, int], tuple[int, float]] = lambda count, best: (best, 1.0), **changes: Any
) -> Setting:
    fields = {"names": Names({}), "default_model": None, "margin": None, "tolerance": None, "explore": explore}
    return Setting(**{**fields, **changes})


def asked(text: str) -> Question:
    return Question(router().points([text]), len(text) / 4)


def made(
    text: str = question("code"), groups: tuple[ModelGroup, ...] = GROUPS, policy: Policy = NEUTRAL, **more: Any
) -> Made:
    told = decide(
        more.pop("router", router()),
        asked(text),
        groups,
        policy,
        more.pop("setting", setting()),
        strategy="knn",
        version="7",
        **more,
    )
    assert told is not None
    return told


def unpriced(*names: str) -> tuple[ModelGroup, ...]:
    return tuple(ModelGroup(name, ()) for name in names)


def order(told: Made) -> list[str]:
    return [candidate.model for candidate in told.decision.candidates]


class Adds:
    """A corrector that adds the same to every prompt."""

    def __init__(self, *added: float) -> None:
        self.added = np.array([added])

    def correct(self, directions: Floats) -> Floats:
        assert directions.ndim == 2
        return self.added


@pytest.mark.parametrize(("kind", "model"), [("chat", "small"), ("code", "medium"), ("math", "large")])
def test_the_model_that_is_good_at_the_kind_of_prompt_is_called_first(kind: str, model: str) -> None:
    decision = made(question(kind)).decision
    assert decision.chosen.model == model
    assert decision.reason == decision.chosen.reason
    assert decision.reason.startswith(f"{model} has the best expected answer (0.")
    assert (decision.strategy, decision.version, decision.propensity) == ("knn", "7", 1.0)


@settings(max_examples=120, deadline=None)
@given(
    text=st.one_of(st.sampled_from([question(kind) for kind in ("chat", "code", "math")]), st.text(max_size=50)),
    names=st.permutations([*MODELS, "stranger", "other"]).flatmap(
        lambda names: st.integers(1, 5).map(lambda count: names[:count])
    ),
    weight=st.sampled_from([0.0, 10.0, 1e5]),
    floor=st.booleans(),
    cautious=st.booleans(),
    lot=st.integers(0, 10),
)
def test_every_candidate_is_ranked_once_with_scores_that_do_not_rise(
    text: str, names: list[str], weight: float, floor: bool, cautious: bool, lot: int
) -> None:
    told = decide(
        router(),
        asked(text),
        make_groups(*names),
        Policy(weight=weight, floor=floor, cautious=cautious),
        setting(lambda count, best: (lot % count, 0.25)),
        strategy="knn",
        version="1",
    )
    known = set(names) & set(MODELS)
    if not known:
        assert told is None
        return
    assert told is not None
    candidates = told.decision.candidates
    assert sorted(candidate.model for candidate in candidates) == sorted(names)
    scores = [candidate.score for candidate in candidates]
    assert all(np.isfinite(score) for score in scores)
    assert scores == sorted(scores, reverse=True)
    last = [candidate.model for candidate in candidates[len(known) :]]
    assert last == [name for name in names if name not in known]
    for candidate in candidates[: len(known)]:
        assert candidate.quality is not None
        assert candidate.cost is not None
        assert candidate.uncertainty is not None
        assert 0 <= candidate.quality <= 1
        assert min(candidate.cost, candidate.uncertainty) >= 0
    for candidate in candidates[len(known) :]:
        assert (candidate.quality, candidate.cost, candidate.reason) == (None, None, "not known to the router")
    assert all(candidate.score < scores[len(known) - 1] for candidate in candidates[len(known) :])


def test_a_router_that_knows_no_candidate_leaves_the_choice_to_others() -> None:
    groups = make_groups("stranger")
    assert decide(router(), asked("x"), groups, NEUTRAL, setting(), strategy="knn", version="1") is None


def test_the_order_of_the_candidates_makes_no_difference() -> None:
    every = {tuple(order(made(groups=groups))) for groups in itertools.permutations(GROUPS)}
    assert len(every) == 1


def test_one_drawn_by_lot_is_first_says_so_and_the_others_keep_their_order() -> None:
    told = made(question("code"), setting=setting(lambda count, best: ((best + 1) % count, 0.125)))
    decision = told.decision
    assert decision.chosen.model == "large"
    assert decision.reason == "drawn by lot to learn about large"
    assert decision.propensity == 0.125
    assert decision.attributes["explored"] is True
    assert order(told)[1] == "medium"
    assert decision.attributes["margin"] < 0
    assert made(question("code")).decision.attributes["explored"] is False


def test_the_lot_is_told_how_many_candidates_are_known_and_which_is_the_best() -> None:
    heard = []

    def explore(count: int, best: int) -> tuple[int, float]:
        heard.append((count, best))
        return best, 1.0

    made(question("math"), make_groups("stranger", "large", "small"), setting=setting(explore))
    assert heard == [(2, 0)]


def test_what_is_not_clearly_better_than_the_default_is_left_to_the_default() -> None:
    default = MODELS[router().default]
    kind = next(kind for kind, model in (("chat", "small"), ("code", "medium")) if model != default)
    decision = made(question(kind), policy=Policy(margin=1.0)).decision
    assert decision.chosen.model == default
    assert decision.attributes["abstained"] is True
    other = made(question(kind)).decision.chosen.model
    assert decision.reason == f"the default model: {other} is not clearly better"
    free = made(question(kind)).decision
    assert free.attributes["abstained"] is False


def test_the_default_chosen_on_its_merits_is_no_abstention() -> None:
    decision = made(question("math"), policy=Policy(margin=1.0), setting=setting(default_model="large")).decision
    assert decision.chosen.model == "large"
    assert decision.attributes["abstained"] is False
    assert "best expected answer" in decision.reason


def test_on_a_prompt_of_a_new_kind_the_reason_says_so() -> None:
    strange = "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich"
    assert router().doubt.is_new(asked(strange).points.z @ router().costs.centers.T).all()
    best = made(strange).decision.chosen.model
    default = next(name for name in MODELS if name != best)
    decision = made(strange, policy=Policy(margin=0.0, new_margin=1.0), setting=setting(default_model=default)).decision
    assert decision.attributes["new_kind"] is True
    assert decision.reason == f"the default model: {best} is not clearly better on a prompt of a new kind"
    familiar = made(
        question("code"), policy=Policy(margin=0.0, new_margin=1.0), setting=setting(default_model="small")
    ).decision
    assert (familiar.chosen.model, familiar.attributes["new_kind"]) == ("medium", False)


@pytest.mark.parametrize("default", ["small", "medium", "large"])
def test_the_operators_default_goes_before_that_of_the_training_data(default: str) -> None:
    held = Policy(margin=1.0)
    for kind in ("chat", "code", "math"):
        assert (
            made(question(kind), policy=held, setting=setting(default_model=default)).decision.chosen.model == default
        )


def test_a_default_that_is_no_candidate_holds_nothing_back() -> None:
    held = Policy(margin=1.0)
    for default in ("stranger", "small"):
        decision = made(
            question("math"), make_groups("medium", "large"), held, setting=setting(default_model=default)
        ).decision
        assert decision.chosen.model == "large"
        assert decision.attributes["abstained"] is False


def test_a_cheaper_choice_says_how_much_is_saved_against_the_best() -> None:
    decision = made(question("math"), policy=Policy(weight=1e9)).decision
    assert decision.chosen.model == "small"
    small, large = (next(c for c in decision.candidates if c.model == name) for name in ("small", "large"))
    saved = 1 - (small.cost or 0) / (large.cost or 1)
    assert 0 < saved < 1
    assert f"nearly as well as large ({small.quality:.2f} against {large.quality:.2f})" in decision.reason
    assert decision.reason.endswith(f"for {saved:.0%} less")


def test_the_floor_takes_the_cheapest_that_is_good_enough() -> None:
    decision = made(question("math"), policy=Policy(floor=True, tolerance=1.0)).decision
    assert decision.chosen.model == "small"
    assert made(question("math"), policy=Policy(floor=True, tolerance=0.0)).decision.chosen.model == "large"


def test_a_single_known_candidate_is_chosen_without_a_margin_to_tell() -> None:
    decision = made(groups=make_groups("stranger", "small")).decision
    assert decision.chosen.model == "small"
    assert decision.reason == "small is the only candidate that the router knows"
    assert decision.attributes["margin"] is None


def test_the_margin_is_the_lead_over_the_second() -> None:
    decision = made(policy=replace(NEUTRAL, weight=3.0)).decision
    first, second = decision.candidates[:2]
    assert decision.attributes["margin"] == pytest.approx(first.score - second.score, abs=1e-6)
    assert decision.attributes["lambda"] == 3.0


def test_costs_are_todays_prices_where_all_candidates_have_one() -> None:
    told = {c.model: c.cost for c in made("x" * 4000, GROUPS).decision.candidates}
    # 1000 tokens asked; 40, 80 and 160 answered
    assert told["small"] == pytest.approx(1000 * 100 + 40 * 400, rel=0.01)
    assert told["large"] == pytest.approx(1000 * 300 + 160 * 1200, rel=0.01)


def test_costs_are_those_of_the_training_data_when_one_candidate_has_no_price() -> None:
    text = question("code")
    mixed = {c.model: c.cost for c in made(text, (*GROUPS[:2], *unpriced("large"))).decision.candidates}
    none = {c.model: c.cost for c in made(text, unpriced(*MODELS)).decision.candidates}
    assert mixed == none
    assert none["small"] == pytest.approx(1e-4 * 1e9, rel=0.05)
    assert none["large"] == pytest.approx(1e-3 * 1e9, rel=0.05)


def test_without_answer_lengths_the_costs_of_the_training_data_count() -> None:
    costs = replace(router().costs, tokens_out=np.zeros((0, 3), np.float32))
    told = {c.model: c.cost for c in made(router=replace(router(), costs=costs)).decision.candidates}
    assert told["small"] == pytest.approx(1e-4 * 1e9, rel=0.05)


def test_corrections_move_the_choice_and_not_what_is_remembered_as_predicted() -> None:
    plain = made(question("code"))
    told = made(question("code"), corrector=Adds(0.0, -1.0, 1.0))
    assert told.decision.chosen.model == "large"
    assert told.predicted == plain.predicted
    qualities = {c.model: c.quality for c in told.decision.candidates}
    assert (qualities["medium"], qualities["large"]) == (0.0, 1.0)


def test_what_feedback_needs_is_told_by_group_with_training_names() -> None:
    names = Names({"small": "public-small"})
    told = made(groups=make_groups("public-small", "large", "stranger"), setting=setting(names=names))
    assert {group: model for group, (model, _) in told.predicted.items()} == {"public-small": "small", "large": "large"}
    assert told.directions.shape == (32,)
    assert float(np.linalg.norm(told.directions)) <= 1.0001


def test_nothing_that_is_given_is_changed() -> None:
    given = asked(question("chat"))
    before = Points(given.points.z.copy(), given.points.s.copy())
    arrays = {name: array.copy() for name, array in router().arrays().items()}
    attributes = {"router": "main"}
    corrector = Adds(0.1, 0.2, 0.3)
    groups = list(GROUPS)
    for policy in (Policy(), Policy(weight=1e3, cautious=True), Policy(floor=True)):
        decide(
            router(),
            given,
            groups,
            policy,
            setting(),
            strategy="knn",
            version="1",
            corrector=corrector,
            attributes=attributes,
            explain=True,
        )
    np.testing.assert_array_equal(given.points.z, before.z)
    np.testing.assert_array_equal(given.points.s, before.s)
    np.testing.assert_array_equal(corrector.added, [[0.1, 0.2, 0.3]])
    assert all(np.array_equal(array, arrays[name]) for name, array in router().arrays().items())
    assert (attributes, groups) == ({"router": "main"}, list(GROUPS))


def test_an_explanation_names_training_prompts_by_number_and_never_by_text() -> None:
    assert "neighbours" not in made().decision.attributes
    told = made(explain=True, attributes={"router": "main"}).decision.attributes
    assert told["router"] == "main"
    assert len(told["neighbours"]) == 5
    near = [row["similarity"] for row in told["neighbours"]]
    assert near == sorted(near, reverse=True)
    assert near[0] > 0.8
    assert all(len(row["scores"]) == 3 for row in told["neighbours"])
    assert "Python" not in repr(told)
    whole = made(explain=True, router=trained("ensemble").router).decision.attributes
    assert len(whole["neighbours"]) == 5
    assert "neighbours" not in made(explain=True, router=trained("ridge").router).decision.attributes


ARTIFACT = Policy(margin=0.05, new_margin=0.04, tolerance=0.02)
WEIGHTS = {"quality": 0.0, "balanced": 5.0, "economy": 50.0}


@pytest.mark.parametrize(
    ("wish", "changes", "wanted"),
    [
        (Wish("quality", None, "default"), {}, replace(ARTIFACT, cautious=True)),
        (Wish("economy", None, "key"), {}, replace(ARTIFACT, weight=50.0, cautious=True)),
        (Wish("floor", None, "key"), {}, replace(ARTIFACT, floor=True, cautious=True)),
        (Wish("own", 7.5, "client"), {}, replace(ARTIFACT, weight=7.5)),
        (Wish("own", 0.0, "client"), {}, ARTIFACT),
        (Wish("balanced", None, "team"), {"margin": 0.5}, replace(ARTIFACT, weight=5.0, cautious=True, margin=0.5)),
        (
            Wish("quality", None, "default"),
            {"margin": 0.01, "tolerance": 0.3},
            replace(ARTIFACT, cautious=True, margin=0.01, new_margin=0.01, tolerance=0.3),
        ),
        (
            Wish("quality", None, "default"),
            {"margin": 0.0, "tolerance": 0.0},
            replace(ARTIFACT, cautious=True, margin=0.0, new_margin=0.0, tolerance=0.0),
        ),
    ],
)
def test_a_wish_and_the_operators_margins_make_the_policy(
    wish: Wish, changes: dict[str, float], wanted: Policy
) -> None:
    assert policy_for(ARTIFACT, WEIGHTS, wish, setting(**changes)) == wanted
