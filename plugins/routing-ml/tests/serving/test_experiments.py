"""Experiments deal units by weight and alike everywhere; exploration tells the exact odds of its draw."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, chisquare

from routeiq_routing_ml.serving.experiments import BUCKETS, Assignment, Experiment, Unit, explore
from routeiq_sdk import Context, Principal
from routeiq_sdk.testing import make_context

ARMS = (("main", 70.0), ("challenger", 25.0), ("wild", 5.0))
MARTHA = Principal("key-1", user="martha", team="blue")


def request(principal: Principal | None = MARTHA, end_user: str | None = None, **fields: Any) -> Context:
    ctx = make_context(principal=principal, **fields)
    ctx.end_user = end_user
    return ctx


def assigned(by: Unit, ctx: Context) -> Assignment:
    return Experiment("exp", ARMS, by).assign(ctx)


def test_a_hundred_thousand_units_are_dealt_by_weight() -> None:
    experiment = Experiment("exp", ARMS)
    dealt = Counter(experiment.assign(request(Principal(f"key-{unit}"))).variant for unit in range(100_000))
    found = [dealt[name] for name, _ in ARMS]
    assert chisquare(found, [weight * 1000 for _, weight in ARMS]).pvalue > 0.001


def test_buckets_are_uniform() -> None:
    experiment = Experiment("exp", ARMS)
    buckets = Counter(experiment.bucket(f"unit-{unit}") // 100 for unit in range(100_000))
    assert set(buckets) == set(range(BUCKETS // 100))
    assert chisquare(list(buckets.values())).pvalue > 0.001


def test_two_experiments_deal_independently() -> None:
    halves = (("a", 1), ("b", 1))
    one, other = Experiment("one", halves), Experiment("other", halves)
    pairs = Counter(
        (one.assign(ctx).variant, other.assign(ctx).variant)
        for ctx in (request(Principal(f"key-{unit}")) for unit in range(20_000))
    )
    table = [[pairs[first, second] for second in "ab"] for first in "ab"]
    assert chi2_contingency(table).pvalue > 0.001


def test_a_unit_keeps_its_variant_in_every_process() -> None:
    script = (
        "from routeiq_routing_ml.serving.experiments import Experiment\n"
        "print([Experiment('exp', (('a', 1), ('b', 1))).bucket(f'unit-{n}') for n in range(50)])"
    )
    fresh = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    here = [Experiment("exp", (("a", 1), ("b", 1))).bucket(f"unit-{n}") for n in range(50)]
    assert fresh.strip() == str(here)
    assert here[:3] == [8090, 1952, 8935]


def test_all_requests_of_a_unit_get_one_variant_and_single_requests_many() -> None:
    def variants(by: Unit) -> set[str]:
        return {assigned(by, request(request_id=f"req-{number}")).variant for number in range(200)}

    assert len(variants("key")) == len(variants("team")) == len(variants("user")) == 1
    assert variants("request") == {name for name, _ in ARMS}


@pytest.mark.parametrize(
    ("by", "ctx", "used"),
    [
        ("key", request(), "key"),
        ("team", request(), "team"),
        ("user", request(), "user"),
        ("end_user", request(end_user="visitor"), "end_user"),
        ("session", request(headers={"x-litellm-session-id": "s"}), "session"),
        ("session", request(metadata={"session_id": "s"}), "session"),
        ("session", request(metadata={"session_id": 7}), "user"),
        ("session", request(end_user="visitor"), "end_user"),
        ("session", request(), "user"),
        ("end_user", request(), "user"),
        ("end_user", request(Principal("key-1")), "key"),
        ("user", request(Principal("key-1")), "key"),
        ("team", request(Principal("key-1")), "key"),
        ("request", request(), "request"),
    ],
)
def test_a_missing_unit_falls_to_the_next_one_and_the_assignment_says_to_which(
    by: Unit, ctx: Context, used: Unit
) -> None:
    assert assigned(by, ctx).by == used


def test_without_a_caller_each_request_is_its_own_unit() -> None:
    ctx = request()
    ctx._principal = None
    for by in get_args(Unit):
        assert assigned(by, ctx).by == "request"


def test_a_session_is_dealt_for_its_caller_alone() -> None:
    def bucket(key: str) -> int:
        return assigned("session", request(Principal(key), headers={"x-litellm-session-id": "s"})).bucket

    assert bucket("key-1") == bucket("key-1") != bucket("key-2")


def test_the_record_uses_the_contracts_names() -> None:
    told = assigned("key", request())
    assert told.record() == {
        "experiment_id": "exp",
        "variant": told.variant,
        "weight": dict(ARMS)[told.variant],
        "total_weight": 100.0,
        "hash_bucket": told.bucket,
        "hash_key_type": "key",
    }


@given(
    weights=st.lists(st.floats(1, 1000), min_size=1, max_size=8),
    unit=st.text(st.characters(), max_size=20),
)
def test_every_bucket_belongs_to_a_variant_and_every_variant_has_its_share(weights: list[float], unit: str) -> None:
    variants = tuple((f"v{place}", weight) for place, weight in enumerate(weights))
    experiment = Experiment("exp", variants, "request")
    ends = experiment._ends()
    assert ends[-1] == BUCKETS
    for (_, weight), before, end in zip(variants, (0, *ends), ends, strict=False):
        assert abs((end - before) / BUCKETS - weight / sum(weights)) <= 1 / BUCKETS
    assert experiment.assign(request(request_id=unit)).variant in dict(variants)


@pytest.mark.parametrize(
    ("id_", "variants", "message"),
    [
        ("", ARMS, "without an id"),
        ("exp", (), "no variants"),
        ("exp", (("a", 1.0), ("a", 2.0)), "named twice"),
        ("exp", (("", 1.0), ("a", 2.0)), "without a name"),
        ("exp", (("a", 0.0), ("b", 1.0)), "weight 0"),
        ("exp", (("a", -1.0), ("b", 1.0)), "weight -1"),
        ("exp", (("a", float("nan")), ("b", 1.0)), "weight nan"),
        ("exp", (("a", 1e308), ("b", 1e308)), "add up"),
        ("exp", (("a", 1e6), ("b", 1.0)), "too small"),
    ],
)
def test_what_cannot_be_dealt_is_refused(id_: str, variants: tuple[tuple[str, float], ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Experiment(id_, variants)


class Never:
    """A source of numbers that must not be asked."""

    def random(self) -> float:
        raise AssertionError("a number was drawn")


def test_without_exploration_nothing_is_drawn_and_the_best_is_certain() -> None:
    assert explore(Never(), 0.0, 5, 3) == (3, 1.0)
    assert explore(Never(), 0.5, 1) == (0, 1.0)


@given(epsilon=st.floats(0, 1), candidates=st.integers(1, 9), seed=st.integers(0, 2**32), best=st.integers(0, 8))
def test_the_odds_of_all_candidates_add_up_to_one(epsilon: float, candidates: int, seed: int, best: int) -> None:
    best %= candidates
    place, propensity = explore(random.Random(seed), epsilon, candidates, best)
    assert 0 <= place < candidates
    odds = [epsilon / candidates + (1 - epsilon) * (place == best) for place in range(candidates)]
    assert sum(odds) == pytest.approx(1)
    if candidates > 1:
        assert propensity == pytest.approx(odds[place])
    assert 0 < propensity <= 1


def test_draws_come_as_often_as_their_odds_say() -> None:
    rng = random.Random(4)
    drawn = [explore(rng, 0.3, 4, 1) for _ in range(20_000)]
    dealt = Counter(place for place, _ in drawn)
    odds = dict(drawn)
    assert odds == pytest.approx({0: 0.075, 1: 0.775, 2: 0.075, 3: 0.075})
    assert chisquare([dealt[place] for place in range(4)], [odds[place] * 20_000 for place in range(4)]).pvalue > 0.001


@pytest.mark.parametrize(("epsilon", "candidates", "best"), [(1.1, 2, 0), (-0.1, 2, 0), (0.1, 0, 0), (0.1, 2, 2)])
def test_impossible_explorations_are_refused(epsilon: float, candidates: int, best: int) -> None:
    with pytest.raises(ValueError, match=r"epsilon|the best"):
        explore(Never(), epsilon, candidates, best)
