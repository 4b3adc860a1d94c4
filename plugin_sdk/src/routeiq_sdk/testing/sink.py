"""The contract of sinks, which write records and events down.

Retries and breakers around `emit` are the core's.
"""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from collections.abc import Collection
from typing import Any, ClassVar

from routeiq_sdk.plugin import Plugin
from routeiq_sdk.testing.fakes import FakeGateway, make_context, make_record
from routeiq_sdk.testing.plugin import PluginContract, call_hook, running
from routeiq_sdk.values.records import Event


class SinkContract(PluginContract):
    """What a sink promises: `record` never waits and never grows without bound, teardown flushes, duplicates do no
    harm.

    Tests of hooks that the sink does not implement are skipped.
    """

    group: ClassVar[str] = "routeiq.sinks"
    flood: ClassVar[int] = 5000
    """How many records the sink is flooded with; more than its queue holds."""
    samples: ClassVar[int] = 200
    """How many records are timed."""
    slowest_record_ms: ClassVar[float] = 50.0
    """The longest that one `record` may take on a busy machine. It enqueues only, so microseconds are usual."""

    def delivered(self, plugin: Plugin[Any], gateway: FakeGateway) -> Collection[str]:
        """Request ids (of events: their `payload["request_id"]`) that arrived where the sink writes. Override it."""
        raise NotImplementedError("override delivered() to look where the sink writes")

    def jam(self, plugin: Plugin[Any], gateway: FakeGateway) -> None:
        """Let the destination hang. Override it for a sink that does not write through `gateway.egress`."""
        gateway.egress.hang()

    def unjam(self, plugin: Plugin[Any], gateway: FakeGateway) -> None:
        """Let the destination answer again."""
        gateway.egress.release()

    def test_it_writes_something_down(self) -> None:
        assert self.hooks() & {"record", "emit", "commit"}, "it implements no hook of a sink"

    def test_record_does_not_wait_for_the_destination(self) -> None:
        self.need_hook("record")

        async def slowest() -> float:
            gateway = self.make_gateway()
            async with running(self.make(), gateway) as plugin:
                self.jam(plugin, gateway)
                times = [await self._timed_record(plugin, number) for number in range(self.samples)]
                self.unjam(plugin, gateway)
                return sorted(times)[-2]  # one pause of the machine is not the sink's

        took = asyncio.run(slowest()) * 1000
        assert took < self.slowest_record_ms, f"a record took {took:.1f} ms"

    def test_what_waits_is_bounded(self) -> None:
        self.need_hook("record")

        async def growth() -> tuple[int, int]:
            gateway = self.make_gateway()
            async with running(self.make(), gateway) as plugin:
                self.jam(plugin, gateway)
                tracemalloc.start()
                try:
                    first = await self._flood(plugin, gateway, 0)
                    second = await self._flood(plugin, gateway, self.flood)
                finally:
                    tracemalloc.stop()
                self.unjam(plugin, gateway)
                return first, second

        first, second = asyncio.run(growth())
        assert second - first < 0.5 * first + 64 * 1024, (
            f"{self.flood} records left {first} bytes, twice as many {second}: what waits is not bounded"
        )

    def test_teardown_flushes_records(self) -> None:
        self.need_hook("record")
        wanted = [f"req-{number}" for number in range(50)]
        missing = set(wanted) - set(self._delivered_records(wanted))
        assert not missing, f"lost at teardown: {sorted(missing)[:5]}"

    def test_a_record_that_comes_twice_does_no_harm(self) -> None:
        self.need_hook("record")
        assert "req-1" in self._delivered_records(["req-1", "req-1"])

    def test_events_are_delivered(self) -> None:
        self.need_hook("emit")
        wanted = {f"req-{number}" for number in range(20)}
        assert wanted <= set(self._delivered_events([sorted(wanted)]))

    def test_a_batch_that_comes_twice_does_no_harm(self) -> None:
        self.need_hook("emit")
        assert "req-1" in self._delivered_events([["req-1"], ["req-1"]])

    def _delivered_records(self, request_ids: list[str]) -> Collection[str]:
        async def run() -> Collection[str]:
            gateway = self.make_gateway()
            async with running(self.make(), gateway) as plugin:
                for request_id in request_ids:
                    await call_hook(plugin, "record", make_context(request_id=request_id), make_record(request_id))
            return self.delivered(plugin, gateway)

        return asyncio.run(run())

    def _delivered_events(self, batches: list[list[str]]) -> Collection[str]:
        async def run() -> Collection[str]:
            gateway = self.make_gateway()
            async with running(self.make(), gateway) as plugin:
                for batch in batches:
                    events = [Event("routeiq.test.v1", 1, {"request_id": request_id}) for request_id in batch]
                    await call_hook(plugin, "emit", events)
            return self.delivered(plugin, gateway)

        return asyncio.run(run())

    async def _flood(self, plugin: Plugin[Any], gateway: FakeGateway, start: int) -> int:
        """Bytes that are held after `flood` records more."""
        ctx = make_context()
        for number in range(start, start + self.flood):
            await call_hook(plugin, "record", ctx, make_record(f"req-{number}"))
            if number % 100 == 0:
                await asyncio.sleep(0)
        gateway.egress.calls.clear()  # what the fake notes of a sink that tries again is not the sink's
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    async def _timed_record(self, plugin: Plugin[Any], number: int) -> float:
        request_id = f"req-{number}"
        ctx, record = make_context(request_id=request_id), make_record(request_id)
        begin = time.perf_counter()
        await call_hook(plugin, "record", ctx, record)
        return time.perf_counter() - begin
