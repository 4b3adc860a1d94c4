"""Which failures bench a deployment, for how long, and that it comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routeiq.request.cooldown import CooldownRules, Cooldowns
from routeiq_sdk.testing.fakes import make_groups
from routeiq_sdk.testing.services import FakeClock

(GROUP, OTHER) = make_groups("one", "two")
ONE, TWO = GROUP.deployments[0], OTHER.deployments[0]


def bench(**rules) -> tuple[Cooldowns, FakeClock]:
    clock = FakeClock()
    return Cooldowns(clock, CooldownRules(**rules)), clock


def fail(cooldowns: Cooldowns, status: int, name: str = "APIError", **how) -> bool:
    how = {"alone": False, "retry_after": None, "cooldown": None, **how}
    return cooldowns.failed(ONE, name, status, **how)


@pytest.mark.parametrize(
    ("status", "in_a_group", "alone"),
    [
        (400, False, False),
        (401, True, True),
        (402, True, True),
        (403, False, False),
        (404, True, True),
        (408, False, False),
        (413, False, False),
        (422, False, False),
        (429, True, False),
        (500, False, False),
        (503, False, False),
    ],
)
def test_one_failure_benches_by_its_status(status: int, in_a_group: bool, alone: bool) -> None:
    assert fail(bench()[0], status) is in_a_group
    assert fail(bench()[0], status, alone=True) is alone


def test_a_benched_deployment_is_left_out_until_its_time_is_over() -> None:
    cooldowns, clock = bench(seconds=5)
    assert fail(cooldowns, 429)
    assert list(cooldowns.healthy([ONE, TWO])) == [TWO]
    assert cooldowns.wait([ONE]) == 5
    clock.advance(4.9)
    assert list(cooldowns.healthy([ONE, TWO])) == [TWO]
    clock.advance(0.1)
    assert list(cooldowns.healthy([ONE, TWO])) == [ONE, TWO]
    assert cooldowns.wait([ONE, TWO]) == 0


@pytest.mark.parametrize(
    ("retry_after", "cooldown", "seconds"),
    [(None, None, 5), (2, None, 2), (None, 30, 30), (2, 30, 2), (0, None, 5), (61, None, 5), (60, None, 60)],
)
def test_the_provider_then_the_deployment_then_the_router_say_how_long(
    retry_after: float | None, cooldown: float | None, seconds: float
) -> None:
    cooldowns, _ = bench(seconds=5)
    assert fail(cooldowns, 429, retry_after=retry_after, cooldown=cooldown)
    assert cooldowns.wait([ONE]) == seconds


def test_more_than_half_of_five_calls_a_minute_bench_in_a_group_and_never_alone() -> None:
    for alone, expected in ((False, True), (True, False)):
        cooldowns, _ = bench()
        for _ in range(2):
            assert not fail(cooldowns, 500, alone=alone)
            cooldowns.succeeded(ONE)
        assert fail(cooldowns, 500, alone=alone) is expected


def test_old_calls_do_not_count_for_the_ratio() -> None:
    cooldowns, clock = bench()
    for _ in range(4):
        assert not fail(cooldowns, 500)
    clock.advance(61)
    assert not fail(cooldowns, 500)


def test_allowed_fails_replace_the_rules_by_status_and_hold_for_a_group_of_one() -> None:
    cooldowns, clock = bench(allowed_fails=2)
    assert [fail(cooldowns, 429, alone=True) for _ in range(3)] == [False, False, True]
    clock.advance(61)
    assert not fail(cooldowns, 401)


def test_allowed_fails_may_differ_by_class() -> None:
    cooldowns, _ = bench(allowed_fails=5, allowed_fails_policy={"RateLimitErrorAllowedFails": 0})
    assert not fail(cooldowns, 500, "InternalServerError")
    assert fail(cooldowns, 429, "RateLimitError")


def test_disabled_cooldowns_bench_nothing() -> None:
    cooldowns, _ = bench(disabled=True)
    assert not fail(cooldowns, 401)
    assert list(cooldowns.healthy([ONE])) == [ONE]


def test_what_is_gone_from_the_model_list_is_forgotten_and_the_rest_kept() -> None:
    cooldowns, _ = bench()
    fail(cooldowns, 401)
    cooldowns.keep([ONE.id])
    assert list(cooldowns.healthy([ONE])) == []
    cooldowns.keep([TWO.id])
    assert list(cooldowns.healthy([ONE])) == [ONE]


@given(st.lists(st.tuples(st.sampled_from([400, 401, 403, 408, 422, 429, 500, 503]), st.booleans()), max_size=40))
def test_client_errors_never_bench_and_a_bench_always_ends(calls: list[tuple[int, bool]]) -> None:
    cooldowns, clock = bench(seconds=5)
    for status, alone in calls:
        benched = fail(cooldowns, status, alone=alone)
        assert not (benched and status in (400, 403, 422))
        if alone and status in (408, 429, 500, 503):
            assert not benched
    clock.advance(5)
    assert list(cooldowns.healthy([ONE])) == [ONE]


def test_the_benched_are_told_with_the_seconds_that_are_left() -> None:
    cooldowns, clock = bench(seconds=5)
    assert cooldowns.benched() == {}
    assert fail(cooldowns, 429)
    fail(cooldowns, 500)
    cooldowns.failed(TWO, "APIError", 500, alone=False, retry_after=None, cooldown=None)
    assert cooldowns.benched() == {ONE.id: 5}
    clock.advance(4)
    assert cooldowns.benched() == {ONE.id: 1}
    clock.advance(1)
    assert cooldowns.benched() == {}
