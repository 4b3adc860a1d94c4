"""The expiring map: ended entries are gone at once for readers, and from memory in bounded steps."""

from __future__ import annotations

import math

from routeiq.state.expiring import ExpiringMap


def test_a_sweep_removes_no_more_than_its_steps() -> None:
    entries: ExpiringMap[int] = ExpiringMap()
    for n in range(100):
        entries.set(str(n), n, end=1.0)
    assert entries.get("5", now=1.0) is None
    entries.sweep(now=1.0, steps=10)
    assert len(entries) == 90
    entries.sweep(now=0.5, steps=10)
    assert len(entries) == 90


def test_a_rewritten_entry_outlives_its_first_end() -> None:
    entries: ExpiringMap[int] = ExpiringMap()
    entries.set("a", 1, end=1.0)
    entries.set("a", 2, end=5.0)
    entries.set("b", 1, end=1.0)
    entries.set("b", 2)
    entries.sweep(now=2.0)
    assert entries.get("a", now=2.0) == 2
    assert entries.get("b", now=2.0) == 2
    entries.sweep(now=5.0)
    assert list(entries.keys()) == ["b"]


def test_rewriting_one_key_does_not_grow_the_bookkeeping() -> None:
    entries: ExpiringMap[int] = ExpiringMap()
    for n in range(10_000):
        entries.set("a", n, end=1e6 + n)
    assert len(entries._ends) < 200
    entries.sweep(now=2e6, steps=math.inf)
    assert len(entries) == 0


def test_weight_follows_every_way_an_entry_goes() -> None:
    entries: ExpiringMap[bytes] = ExpiringMap(lambda key, value: len(value))
    entries.set("a", b"123")
    entries.set("a", b"1")
    entries.set("b", b"12", end=1.0)
    assert entries.weight == 3
    entries.sweep(now=1.0)
    assert entries.weight == 1
    entries.discard("a")
    entries.discard("a")
    assert entries.weight == 0
