"""Random histories of holds against a model in plain Python, many steps a store: how many answers differ (Q3).
The histories and the model are those of the contract tests in `core/tests/state`; here they only run longer."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console

from bench.registry import Bench
from bench.report import Grid, Report
from bench.targets import at_most

STORES = ("memory", "sqlite", "postgresql", "valkey")
STATE_TESTS = Path(__file__).resolve().parents[3] / "core" / "tests" / "state"
SAME = at_most("answers that differ from the model", "answers", must=0.0)
_STEPS = 50
_LEASE = 60.0
_PATIENCE = 30.0

Open = Callable[[], AbstractAsyncContextManager[Any]]
Elapse = Callable[[float], Any] | None
"""How time is put forward; `None` for a server whose clock is its own: there no lease ends during a history."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", type=int, default=10_000, help="steps on each store (default: %(default)s)")
    parser.add_argument("--stores", nargs="+", choices=STORES, default=list(STORES), help="only these")


def run(args: argparse.Namespace, console: Console) -> Report:
    rows, failed = [], {}
    taken: dict[str, int] = {}
    for name in args.stores:
        begun = time.monotonic()
        with _STORES[name]() as (open_meters, elapse):
            taken[name], difference = _history(open_meters, elapse, args.steps)
        if difference:
            failed[name] = difference
        seconds = time.monotonic() - begun
        rows.append((name, f"{taken[name]:,}", "1" if difference else "0", f"{seconds:.0f}"))
        console.print(f"{name}: {taken[name]:,} steps in {seconds:.0f} s")
    grid = Grid("Random histories of holds", ("store", "steps", "differences", "seconds"), rows)
    data: dict[str, object] = {"steps": taken, "differences": len(failed)}
    return Report("meters-property", [grid], [SAME.judge(lambda: float(len(failed)))], data, failed)


def _history(open_meters: Open, elapse: Elapse, steps: int) -> tuple[int, str]:
    """Run that many steps; how many there were, and what differed first."""
    from hypothesis import HealthCheck, settings
    from hypothesis.stateful import invariant, run_state_machine_as_test

    count = 0

    class Machine(_machine().MetersMachine):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__(open_meters, elapse, _LEASE)

        @invariant()
        def another_step(self) -> None:
            nonlocal count
            count += 1

    if elapse is None:
        Machine.elapse = None
    difference = ""
    while count < steps and not difference:
        try:
            run_state_machine_as_test(
                Machine,
                settings=settings(
                    max_examples=max(1, (steps - count) // _STEPS),
                    stateful_step_count=_STEPS,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                    database=None,
                ),
            )
        except Exception as error:
            difference = "".join(traceback.format_exception(error, limit=-2))
    return count, difference


def _machine() -> ModuleType:
    if "meters_machine" not in sys.modules:
        spec = importlib.util.spec_from_file_location("meters_machine", STATE_TESTS / "meters_machine.py")
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules["meters_machine"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules["meters_machine"]


class _Ahead:
    """The machine's clock, which can be put forward."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now_ns(self) -> int:
        return time.time_ns() + int(self.seconds * 1e9)

    def monotonic(self) -> float:
        return time.monotonic() + self.seconds

    async def elapse(self, seconds: float) -> None:
        self.seconds += seconds


@contextmanager
def _memory() -> Iterator[tuple[Open, Elapse]]:
    from routeiq.state.memory_meters import MemoryMeters

    clock = _Ahead()

    @asynccontextmanager
    async def opened() -> AsyncIterator[MemoryMeters]:
        yield MemoryMeters(clock)

    yield opened, clock.elapse


@contextmanager
def _sqlite() -> Iterator[tuple[Open, Elapse]]:
    from routeiq.state.sql_open import open_sqlite

    clock = _Ahead()
    with tempfile.TemporaryDirectory() as folder:

        @asynccontextmanager
        async def opened() -> AsyncIterator[Any]:
            stores = await open_sqlite(Path(folder) / "state.sqlite3", clock, call_seconds=_PATIENCE)
            await stores.database.write(_emptied)
            yield stores.meters
            await stores.aclose()

        yield opened, clock.elapse


@contextmanager
def _postgresql() -> Iterator[tuple[Open, Elapse]]:
    from routeiq.state.clock import SystemClock
    from routeiq.state.sql_meters import SqlMeters
    from routeiq.state.sql_postgres import PostgresDatabase
    from routeiq.state.sql_schema import upgrade
    from routeiq_testkit.servers import PostgresServer

    ahead = _Ahead()

    class Database(PostgresDatabase):
        def now_ns(self) -> int:
            return super().now_ns() + int(ahead.seconds * 1e9)

    server = PostgresServer()
    server.start()
    try:

        @asynccontextmanager
        async def opened() -> AsyncIterator[SqlMeters]:
            database = Database(server.url, SystemClock(), _PATIENCE)
            await database.write(upgrade, seconds=60)
            await database.write(_emptied, seconds=60)
            yield SqlMeters(database)
            await database.aclose()

        yield opened, ahead.elapse
    finally:
        server.stop()


@contextmanager
def _valkey() -> Iterator[tuple[Open, Elapse]]:
    from routeiq.state.clock import SystemClock
    from routeiq.state.redis_open import open_redis
    from routeiq_testkit.servers import ValkeyServer

    server = ValkeyServer()
    server.start()
    try:

        @asynccontextmanager
        async def opened() -> AsyncIterator[Any]:
            server.flush()
            stores = await open_redis(server.url, SystemClock())
            yield stores.meters
            await stores.aclose()

        yield opened, None
    finally:
        server.stop()


def _emptied(connection: Any) -> None:
    from routeiq.state.sql_tables import SCHEMA

    for table in SCHEMA.sorted_tables:
        connection.execute(table.delete())


_STORES = {"memory": _memory, "sqlite": _sqlite, "postgresql": _postgresql, "valkey": _valkey}

BENCH = Bench("meters-property", "meters against a plain model, many random steps a store", add_options, run)
