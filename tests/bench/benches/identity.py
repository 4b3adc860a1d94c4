"""How long it takes to tell who bears a key: known, unknown, and asked of the embedded database.
No server runs: what is timed is the plugin's gate alone, in one process."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from rich.console import Console

from bench import registry
from bench.report import Grid, Report
from bench.targets import at_most

KNOWN = at_most("a known key, p99", "us", must=50.0)
UNKNOWN = at_most("a key known to be unknown, p99", "us", must=50.0)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=20_000, help="keys told a row (20000)")


def run(args: argparse.Namespace, console: Console) -> Report:
    rows = asyncio.run(_told(args.rounds))
    figures = {name: (p50, p99) for name, p50, p99 in rows}
    grid = Grid(
        "Who bears this key, microseconds",
        ("key", "p50", "p99"),
        [(name, f"{p50:.1f}", f"{p99:.1f}") for name, p50, p99 in rows],
    )
    data = {name: {"p50_us": p50, "p99_us": p99} for name, (p50, p99) in figures.items()}
    verdicts = [KNOWN.judge(lambda: figures["known"][1]), UNKNOWN.judge(lambda: figures["unknown"][1])]
    return Report("identity", [grid], verdicts, data)


async def _told(rounds: int) -> list[tuple[str, float, float]]:
    from routeiq_governance.config import GovernanceConfig
    from routeiq_governance.identity import credentials
    from routeiq_governance.identity.gate import Identity
    from routeiq_governance.store import entities
    from routeiq_governance.store.database import Database
    from routeiq_governance.store.entities import Key, Organization, Team, User
    from routeiq_sdk import Context, Secret
    from routeiq_sdk.testing import FakeGateway
    from routeiq_sdk.values.http import Headers

    gateway, config = FakeGateway(), GovernanceConfig()
    database = Database(config)
    identity = Identity(config, database)
    await database.open(gateway)
    await identity.open(gateway)
    secret = credentials.make_key()
    key = Key(
        id=credentials.key_id(secret),
        verifier=database.sealer.verifier(secret),
        user_id="u",
        team_id="t",
        organization_id="o",
    )
    async with database.begin() as connection:
        await entities.organizations.insert(connection, Organization(id="o"))
        await entities.teams.insert(connection, Team(id="t", organization_id="o"))
        await entities.users.insert(connection, User(id="u"))
        await entities.keys.insert(connection, key)

    def request(text: str) -> Context:
        fields = {"request_id": "r", "surface": "openai", "route": "/", "method": "POST", "path": "/"}
        return Context(**fields, headers=Headers([]), client=None, config="bench", credential=Secret(text))  # type: ignore[arg-type]

    known, unknown = request(secret), request(credentials.make_key())

    async def asked() -> None:
        await identity._forget("")
        await identity.authenticate(known)

    rows = [
        ("known", *await _timed(rounds, lambda: identity.authenticate(known))),
        ("unknown", *await _timed(rounds, lambda: identity.authenticate(unknown))),
        ("asked of the database", *await _timed(rounds // 50, asked)),
    ]
    await identity.close()
    await database.close()
    await gateway.aclose()
    return rows


async def _timed(rounds: int, work: Callable[[], Awaitable[Any]]) -> tuple[float, float]:
    for _ in range(rounds // 10):
        await work()
    taken = []
    for _ in range(rounds):
        started = time.perf_counter_ns()
        await work()
        taken.append((time.perf_counter_ns() - started) / 1000)
    taken.sort()
    return statistics.median(taken), taken[int(len(taken) * 0.99)]


BENCH = registry.Bench("identity", "how long it takes to tell who bears a key", add_options, run)
