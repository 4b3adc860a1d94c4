"""The breaker before a store: when it opens, what it lets through, when it closes."""

from __future__ import annotations

from routeiq.state.breaker import Breaker

from .held_clock import HeldClock


def test_it_opens_after_failures_in_a_row_and_lets_one_probe_through_a_turn() -> None:
    clock = HeldClock()
    breaker = Breaker(clock, failures=3, pause=0.5)
    for _ in range(2):
        breaker.failed("no answer")
    breaker.succeeded()
    for _ in range(3):
        assert breaker.admits()
        breaker.failed("no answer")
    assert breaker.open
    assert not breaker.admits()
    clock.advance(0.6)
    assert [breaker.admits() for _ in range(3)] == [True, False, False]
    breaker.failed("still none")
    assert not breaker.admits()
    clock.advance(0.6)
    assert breaker.admits()
    breaker.succeeded()
    assert not breaker.open
    assert breaker.admits()


def test_one_certain_failure_is_enough_and_the_reason_is_kept() -> None:
    breaker = Breaker(HeldClock())
    breaker.failed("nobody listens there", certain=True)
    assert breaker.open
    assert breaker.reason == "nobody listens there"
    breaker.succeeded()
    assert breaker.reason is None
