"""What a reservation and its settlement cost over Valkey on loopback, at a steady rate that waits for nobody; what a
call costs while the store hangs or is gone; how long a lost store takes to restore. The SQL stores have a bench of
their own."""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console

from bench.registry import Bench
from bench.report import Grid, Report
from bench.targets import at_most

CHARGES = (1, 3, 20)
RESTORED = 100_000
PAIR = at_most("reserve and settle, 3 meters, p99", "ms", must=3.0)
TREE = at_most("20 meters over 1, p50", "x", must=2.0)
FAILED = at_most("pairs that failed", "pairs", must=0.0)
TRIPS = at_most("commands a pair", "commands", must=2.0)
HANGS = at_most("store hangs: a call behind the open breaker, p99", "ms", must=5.0)
GONE = at_most("store gone: a call behind the open breaker, p99", "ms", must=5.0)


@dataclass(frozen=True)
class Pace:
    """Milliseconds from when a pair was due, so that a stall counts for all that it delayed."""

    meters: int
    pairs: int
    failed: int
    p50: float
    p99: float
    largest: float
    commands: float


@dataclass(frozen=True)
class Outage:
    """Milliseconds of calls: the first one, which finds out, and those behind the open breaker."""

    how: str
    found_out: float
    p50: float
    p99: float
    back: float


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rate", type=int, default=500, help="pairs a second (default: %(default)s)")
    parser.add_argument("--secs", type=int, default=10, help="seconds a row (default: %(default)s)")
    parser.add_argument("--away", type=int, default=3, help="seconds that the store is away (default: %(default)s)")


def run(args: argparse.Namespace, console: Console) -> Report:
    import uvloop

    # The loop and the garbage collector of a gateway's worker.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(args, console))


async def _run(args: argparse.Namespace, console: Console) -> Report:
    from routeiq.state.clock import SystemClock
    from routeiq.state.redis_open import open_redis
    from routeiq_testkit.servers import ValkeyServer

    server = ValkeyServer()
    server.start()
    try:
        stores = await open_redis(server.url, SystemClock())
        try:
            await stores.meters.restore([])
            paces = []
            for meters in CHARGES:
                paces.append(await _pairs(stores.meters, server, meters, args.rate, args.secs))
                console.print(f"{meters} meters: p99 {paces[-1].p99:.2f} ms")
            hangs = await _outage(stores, "hangs", server.pause, server.resume, args.away)
            gone = await _outage(stores, "gone", server.kill, server.start, args.away)
            restored = await _restored(stores.meters)
        finally:
            await stores.aclose()
    finally:
        server.kill()
    by_meters = {pace.meters: pace for pace in paces}
    return Report(
        "state",
        [_pace_grid(paces, args.rate), _outage_grid([hangs, gone]), _restore_grid(restored)],
        [
            PAIR.judge(lambda: by_meters[3].p99),
            TREE.judge(lambda: by_meters[20].p50 / by_meters[1].p50),
            FAILED.judge(lambda: sum(pace.failed for pace in paces)),
            TRIPS.judge(lambda: max(pace.commands for pace in paces)),
            HANGS.judge(lambda: hangs.p99),
            GONE.judge(lambda: gone.p99),
        ],
        {
            "rate": args.rate,
            "pairs_ms": [asdict(pace) for pace in paces],
            "away_ms": [asdict(hangs), asdict(gone)],
            "restore": {"meters": RESTORED, "seconds": restored},
        },
    )


async def _pairs(meters: Any, server: Any, count: int, rate: int, seconds: int) -> Pace:
    """Each pair starts when it is due, whatever became of those before it."""
    from routeiq_sdk import StoreUnavailable
    from routeiq_sdk.values.meters import Charge, Held, Posting

    ends = time.time_ns() + 3600 * 10**9
    charges = [Charge(f"{count}-{n}", 10**14, base=1000, rate=15, ends=ends) for n in range(count)]
    used = [Posting(charge.meter, 700, ends) for charge in charges]
    took: list[float] = []
    failed = 0

    async def pair(hold: str, due: float) -> None:
        nonlocal failed
        try:
            held = await meters.reserve(hold, charges, most=1000, least=10, note=b"x" * 40)
            assert isinstance(held, Held)
            assert await meters.settle(hold, used)
        except StoreUnavailable:
            failed += 1
        else:
            took.append((time.perf_counter() - due) * 1e3)

    for n in range(rate // 5):
        await pair(f"warm-{count}-{n}", time.perf_counter())
    took.clear()
    server.ask("CONFIG", "RESETSTAT")
    first = time.perf_counter() + 0.05
    async with asyncio.TaskGroup() as group:
        for n in range(rate * seconds):
            due = first + n / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(pair(f"{count}-{n}", due))
    asked = sum(_calls(line) for line in server.ask("INFO", "commandstats").splitlines() if "_eval" in line)
    (level,) = await meters.levels([charges[0].meter])
    if not failed:
        assert level.held == 0
        assert level.taken == 700 * (rate * seconds + rate // 5)
    return Pace(count, len(took), failed, statistics.median(took), _p99(took), max(took), asked / len(took))


async def _outage(stores: Any, how: str, go: Callable[[], None], come_back: Callable[[], None], seconds: int) -> Outage:
    from routeiq_sdk import StoreUnavailable
    from routeiq_sdk.values.meters import Charge

    numbers = itertools.count()

    async def call() -> float:
        begun = time.perf_counter()
        try:
            await stores.meters.reserve(f"{how}-{next(numbers)}", [Charge("a", base=1)])
        except StoreUnavailable:
            return (time.perf_counter() - begun) * 1e3
        raise AssertionError("a store that is away granted something")

    await stores.ping()
    await asyncio.to_thread(go)
    found_out = await call()
    # A cut connection is tried once more before the breaker opens.
    await call()
    took = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        took.append(await call())
        await asyncio.sleep(0.002)
    await asyncio.to_thread(come_back)
    begun = time.perf_counter()
    await _answering(stores.ping)
    return Outage(how, found_out, statistics.median(took), _p99(took), (time.perf_counter() - begun) * 1e3)


async def _answering(ping: Callable[[], Awaitable[None]]) -> None:
    from routeiq_sdk import StoreUnavailable

    async with asyncio.timeout(10):
        while True:
            try:
                return await ping()
            except StoreUnavailable:
                await asyncio.sleep(0.001)


async def _restored(meters: Any) -> float:
    from routeiq_sdk.values.meters import Posting

    assert await meters.lost()
    postings = [Posting(f"restored-{n}", n) for n in range(RESTORED)]
    begun = time.perf_counter()
    assert await meters.restore(postings)
    return time.perf_counter() - begun


def _calls(line: str) -> int:
    return int(line.partition("calls=")[2].partition(",")[0])


def _p99(milliseconds: list[float]) -> float:
    return statistics.quantiles(milliseconds, n=100)[98]


def _pace_grid(paces: list[Pace], rate: int) -> Grid:
    rows = [
        (
            str(pace.meters),
            str(pace.pairs),
            str(pace.failed),
            f"{pace.p50:.2f}",
            f"{pace.p99:.2f}",
            f"{pace.largest:.1f}",
            f"{pace.commands:.2f}",
        )
        for pace in paces
    ]
    title = f"A reservation and its settlement in Valkey at {rate} a second, ms"
    return Grid(title, ("meters", "pairs", "failed", "p50", "p99", "largest", "commands"), rows)


def _outage_grid(outages: list[Outage]) -> Grid:
    rows = [
        (each.how, f"{each.found_out:.1f}", f"{each.p50:.3f}", f"{each.p99:.3f}", f"{each.back:.0f}")
        for each in outages
    ]
    return Grid("A call while the store is away, ms", ("store", "first call", "p50", "p99", "back after"), rows)


def _restore_grid(seconds: float) -> Grid:
    return Grid("Restoring lost meters", ("meters", "seconds"), [(f"{RESTORED:,}", f"{seconds:.2f}")])


BENCH = Bench("state", "reserve and settle in Valkey at a steady rate, and a store that is away", add_options, run)
