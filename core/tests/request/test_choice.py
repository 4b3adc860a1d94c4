"""Which deployment serves an attempt: healthy, untried, first in order, by weight; and what plugins may change."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq.errors import Errors
from routeiq.plugins.compiled import Pipeline
from routeiq.request.choice import Choice, SimpleShuffle
from routeiq.request.cooldown import CooldownRules, Cooldowns
from routeiq_sdk import Deployment, ModelGroup, RequestError
from routeiq_sdk.testing.services import FakeClock


def deployments(*changes: dict[str, Any]) -> tuple[Deployment, ...]:
    plain = Deployment("", "group", "openai", "m", "openai")
    return tuple(replace(plain, **{"id": f"d{n}", **change}) for n, change in enumerate(changes))


def choice_among(found: tuple[Deployment, ...]) -> tuple[Choice, Cooldowns, ModelGroup]:
    cooldowns = Cooldowns(FakeClock(), CooldownRules())
    shuffle = SimpleShuffle(random.Random(7))
    accepts = lambda deployment, wire: deployment.mode == "chat"  # noqa: E731
    return Choice(Pipeline(), shuffle, cooldowns, Errors("1.109"), accepts), cooldowns, ModelGroup("group", found)


def shares(found: tuple[Deployment, ...], make_ctx, rounds: int = 3000) -> dict[str, float]:
    shuffle, ctx, group = SimpleShuffle(random.Random(11)), make_ctx(), ModelGroup("group", found)
    counts = Counter(shuffle.pick(ctx, group, found).id for _ in range(rounds))
    return {deployment.id: counts[deployment.id] / rounds for deployment in found}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (({"weight": 3}, {"weight": 1}), (0.75, 0.25)),
        (({"weight": 1}, {}), (1.0, 0.0)),
        (({"rpm": 900}, {"rpm": 100}), (0.9, 0.1)),
        (({"tpm": 200}, {"tpm": 800}), (0.2, 0.8)),
        (({"weight": 1, "rpm": 1}, {"weight": 1, "rpm": 99}), (0.5, 0.5)),
        (({}, {}), (0.5, 0.5)),
        (({"weight": 0}, {"weight": 0}), (0.5, 0.5)),
    ],
)
def test_the_shuffle_weighs_by_weight_else_rpm_else_tpm_else_evenly(changes, expected, make_ctx) -> None:
    found = shares(deployments(*changes), make_ctx)
    assert tuple(found.values()) == pytest.approx(expected, abs=0.04)


@given(
    weights=st.lists(st.none() | st.integers(0, 5) | st.floats(0, 5), min_size=1, max_size=5),
    seed=st.integers(0, 1000),
)
def test_the_shuffle_picks_one_it_was_given_and_none_of_weight_nothing(weights: list[Any], seed: int) -> None:
    found = deployments(*({"weight": weight} for weight in weights))
    picked = SimpleShuffle(random.Random(seed)).pick(None, ModelGroup("group", found), found)  # type: ignore[arg-type]
    assert picked in found
    if any(weights):
        assert picked.weight


def test_the_lowest_order_that_is_healthy_and_untried_comes_first(make_ctx) -> None:
    found = deployments({"order": 2}, {"order": 1}, {})
    choice, cooldowns, group = choice_among(found)
    ctx = make_ctx()
    assert choice.pick(ctx, group, found, ()).id == "d1"
    assert choice.pick(ctx, group, found, {"d1"}).id == "d0"
    assert choice.pick(ctx, group, found, {"d0", "d1"}).id == "d2"
    assert choice.pick(ctx, group, found, {"d0", "d1", "d2"}).id == "d1"
    cooldowns.failed(found[1], "AuthenticationError", 401, alone=False, retry_after=None, cooldown=None)
    assert choice.pick(ctx, group, found, ()).id == "d0"


def test_when_all_are_benched_the_client_is_told_how_long(make_ctx) -> None:
    found = deployments({}, {})
    choice, cooldowns, group = choice_among(found)
    for deployment, seconds in zip(found, (30, 4), strict=True):
        cooldowns.failed(deployment, "RateLimitError", 429, alone=False, retry_after=seconds, cooldown=None)
    with pytest.raises(RequestError) as caught:
        choice.pick(make_ctx(), group, found, ())
    assert (caught.value.status, caught.value.type) == (429, "all_deployments_in_cooldown")
    assert caught.value.headers["retry-after"] == "4"
    assert not choice.others(found, ())


def test_a_full_deployment_is_left_out(make_ctx) -> None:
    found = deployments({"max_parallel_requests": 1}, {})
    choice, _, group = choice_among(found)
    choice.running["d0"] = 1
    assert {choice.pick(make_ctx(), group, found, ()).id for _ in range(10)} == {"d1"}
    with pytest.raises(RequestError) as caught:
        choice.pick(make_ctx(), group, found[:1], ())
    assert caught.value.status == 429


async def test_a_group_none_of_whose_deployments_can_serve_the_request_is_a_clients_error(make_ctx) -> None:
    found = deployments({"mode": "embedding"})
    choice, _, group = choice_among(found)
    with pytest.raises(RequestError) as caught:
        await choice.candidates(make_ctx(), group)
    assert (caught.value.status, caught.value.param) == (400, "model")
    assert await choice.candidates(make_ctx(), ModelGroup("g", deployments({}, {"mode": "embedding"}))) == [
        deployments({})[0]
    ]
