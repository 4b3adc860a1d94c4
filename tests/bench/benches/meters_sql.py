"""What a reservation and its settlement cost in the SQL stores, one after the other, by the number of meters; and what
a call costs while PostgreSQL is away. The same for Valkey is in another bench."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.registry import Bench
from bench.report import Grid, Report
from bench.targets import at_most

METERS = (1, 3, 20)
SQLITE = at_most("SQLite: reserve and settle, 3 meters, p50", "ms", must=2.0)
POSTGRES = at_most("PostgreSQL: reserve and settle, 3 meters, p50", "ms", must=6.0)
AWAY = at_most("PostgreSQL away: a call behind the open breaker, p99", "ms", must=5.0)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pairs", type=int, default=400, help="pairs timed a row (default: %(default)s)")


def run(args: argparse.Namespace, console: Console) -> Report:
    figures: dict[str, dict[int, tuple[float, float]]] = {}
    figures["sqlite"] = asyncio.run(_sqlite(args.pairs))
    figures["postgresql"], away = asyncio.run(_postgresql(args.pairs))
    rows = [
        (store, str(meters), f"{p50:.2f}", f"{p99:.2f}")
        for store, by_meters in figures.items()
        for meters, (p50, p99) in by_meters.items()
    ]
    grid = Grid("A reservation and its settlement, ms", ("store", "meters", "p50", "p99"), rows)
    verdicts = [
        SQLITE.judge(lambda: figures["sqlite"][3][0]),
        POSTGRES.judge(lambda: figures["postgresql"][3][0]),
        AWAY.judge(lambda: away),
    ]
    data: dict[str, object] = {
        store: {str(meters): {"p50_ms": p50, "p99_ms": p99} for meters, (p50, p99) in by_meters.items()}
        for store, by_meters in figures.items()
    }
    return Report("meters-sql", [grid], verdicts, {**data, "away_p99_ms": away})


async def _sqlite(pairs: int) -> dict[int, tuple[float, float]]:
    from routeiq.state.clock import SystemClock
    from routeiq.state.sql_open import open_sqlite

    with tempfile.TemporaryDirectory() as folder:
        stores = await open_sqlite(Path(folder) / "state.sqlite3", SystemClock())
        try:
            return await _pairs(stores.meters, pairs)
        finally:
            await stores.aclose()


async def _postgresql(pairs: int) -> tuple[dict[int, tuple[float, float]], float]:
    from routeiq.state.clock import SystemClock
    from routeiq.state.sql_open import open_postgres
    from routeiq.state.sql_postgres import PostgresDatabase
    from routeiq.state.sql_schema import upgrade
    from routeiq_testkit.servers import PostgresServer

    server = PostgresServer()
    server.start()
    try:
        database = PostgresDatabase(server.url, SystemClock())
        await database.write(upgrade, seconds=60)
        await database.aclose()
        stores = await open_postgres(server.url, SystemClock())
        try:
            timed = await _pairs(stores.meters, pairs)
            server.kill()
            return timed, await _away(stores)
        finally:
            await stores.aclose()
    finally:
        server.kill()


async def _pairs(meters: Any, pairs: int) -> dict[int, tuple[float, float]]:
    from routeiq_sdk.values.meters import Charge, Posting

    await meters.restore([])
    timed = {}
    for count in METERS:
        charges = [Charge(f"m{n}", 10**15, base=100, rate=3) for n in range(count)]
        used = [Posting(f"m{n}", 50) for n in range(count)]
        took = []
        for n in range(pairs + pairs // 10):
            begun = time.perf_counter()
            await meters.reserve(f"{count}-{n}", charges, most=1000, least=10, note=b"x" * 40)
            await meters.settle(f"{count}-{n}", used)
            took.append((time.perf_counter() - begun) * 1e3)
        timed[count] = _quantiles(took[pairs // 10 :])
    return timed


async def _away(stores: Any) -> float:
    from routeiq_sdk import StoreUnavailable

    took = []
    for _ in range(500):
        begun = time.perf_counter()
        try:
            await stores.state.counters(["a"])
        except StoreUnavailable:
            if stores.database.breaker.open:
                took.append((time.perf_counter() - begun) * 1e3)
        await asyncio.sleep(0.005)
    return _quantiles(took[1:])[1]


def _quantiles(milliseconds: list[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(milliseconds, n=100)
    return statistics.median(milliseconds), cuts[98]


BENCH = Bench("meters-sql", "reserve and settle in SQLite and PostgreSQL", add_options, run)
