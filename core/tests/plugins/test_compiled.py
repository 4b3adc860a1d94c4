"""The pipeline is compiled once and frozen; CPU work leaves the event loop."""

from __future__ import annotations

import dataclasses
import threading

import pytest

from routeiq.plugins.compiled import Pipeline, Stats, bind, compile_pipeline, empty
from routeiq.plugins.discover import scan
from routeiq.plugins.load import construct, examine
from routeiq.plugins.select import Selected
from routeiq_sdk import Need
from routeiq_sdk.hooks import SPECS


def compiled(*names: str) -> Pipeline:
    parts = []
    for name in names:
        examined = examine(Selected(name, {}, required=True), scan())
        parts.append((examined.type, bind(examined, construct(examined))))
    return compile_pipeline(parts)


def test_there_is_a_gate_for_every_hook_and_no_other() -> None:
    gates = {field.name for field in dataclasses.fields(Pipeline)} - {"needs"}
    assert gates == set(SPECS)


def test_an_empty_pipeline_has_no_calls_and_no_needs() -> None:
    assert all(empty().at(hook) == () for hook in SPECS)
    assert empty().needs == frozenset()


def test_a_pipeline_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        empty().admit = ()  # type: ignore[misc]


async def test_calls_come_in_order_with_their_origin(site) -> None:
    for name in ("first", "second"):
        site.install(name, "class It(Plugin):\n    @hookimpl\n    async def admit(self, ctx): return ctx + [1]")
    calls = compiled("second", "first").admit
    assert [(call.plugin, call.distribution, call.hook) for call in calls] == [
        ("second", "routeiq-second", "admit"),
        ("first", "routeiq-first", "admit"),
    ]
    assert await calls[0].function([0]) == [0, 1]


def test_needs_are_the_union(site) -> None:
    source = "class It(Plugin):\n    needs = frozenset({Need.%s})\n    @hookimpl\n    async def admit(self, ctx): ..."
    site.install("reader", source % "READS_BODY")
    site.install("censor", source % "READS_STREAM_TEXT")
    assert compiled("reader", "censor").needs == {Need.READS_BODY, Need.READS_STREAM_TEXT}


async def test_work_that_burns_cpu_runs_in_a_thread_and_async_work_does_not(site) -> None:
    source = """
    import threading
    class It(Plugin):
        needs = frozenset({Need.OFFLOAD})
        @hookimpl
        def guard_request(self, ctx): return threading.get_ident()
        @hookimpl
        async def admit(self, ctx): return threading.get_ident()
        @hookimpl
        def select_deployment(self, ctx, group, deployments): return threading.get_ident()
    """
    site.install("burner", source)
    pipeline = compiled("burner")
    here = threading.get_ident()
    assert await pipeline.guard_request[0].function(None) != here
    assert await pipeline.admit[0].function(None) == here
    assert pipeline.select_deployment[0].function(None, None, None) == here


async def test_an_error_in_a_thread_reaches_the_caller(site) -> None:
    site.install(
        "burner",
        "class It(Plugin):\n    needs = frozenset({Need.OFFLOAD})\n    @hookimpl\n    def admit(self, ctx): 1 / 0",
    )
    with pytest.raises(ZeroDivisionError):
        await compiled("burner").admit[0].function(None)


def test_stats_add_up() -> None:
    stats = Stats()
    stats.add(30)
    stats.add(50, failed=True)
    assert (stats.calls, stats.errors, stats.total_ns, stats.max_ns) == (2, 1, 80, 50)
