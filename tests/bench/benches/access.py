"""How long one decision over access takes: roles at the gate, and policies in Cedar; kept, made anew, after a swap.
No server runs: what is timed is the decision alone, in one process."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from rich.console import Console

from bench import registry
from bench.report import Grid, Report
from bench.targets import at_most

KEPT = at_most("a kept decision, p99", "us", must=50.0)
MADE = at_most("a decision made anew over 1,000 bindings, p99", "us", must=1000.0)
SWAPPED = at_most("requests judged by an old version after the swap", "requests", must=0.0)
_MANY = 1000


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=5000, help="decisions timed a row (5000)")


def run(args: argparse.Namespace, console: Console) -> Report:
    rows = asyncio.run(_roles(args.rounds)) + asyncio.run(_cedar(args.rounds))
    stale, judged = asyncio.run(_swaps(200))
    figures = {name: (p50, p99) for name, p50, p99 in rows}
    grid = Grid(
        "One decision, microseconds",
        ("decision", "p50", "p99"),
        [(name, f"{p50:.1f}", f"{p99:.1f}") for name, p50, p99 in rows],
    )
    swaps = Grid("200 swaps under requests", ("requests judged", "by an old version"), [(str(judged), str(stale))])
    data = {name: {"p50_us": p50, "p99_us": p99} for name, (p50, p99) in figures.items()}
    verdicts = [
        KEPT.judge(lambda: figures["roles, kept"][1]),
        MADE.judge(lambda: figures["roles, made anew, 1000 bindings"][1]),
        SWAPPED.judge(lambda: float(stale)),
    ]
    return Report("access", [grid, swaps], verdicts, {**data, "swaps": {"judged": judged, "stale": stale}})


async def _roles(rounds: int) -> list[tuple[str, float, float]]:
    async with _Governed() as it:
        kept = await _timed(rounds, lambda: it.access.authorize_action(it.ctx, "team:update"))
        calls = await _timed(rounds, lambda: it.access.authorize_action(it.ctx, "chat:create"))
        lists = await _timed(rounds, lambda: it.access.authorize(it.ctx))

        async def anew() -> None:
            it.access._callers.swap(it.access._callers.snapshot)
            await it.access.authorize_action(it.ctx, "team:update")

        made = await _timed(rounds, anew)
        return [
            ("roles, kept", *kept),
            ("roles, kept, call of a model", *calls),
            ("lists of models", *lists),
            (f"roles, made anew, {_MANY} bindings", *made),
        ]


async def _swaps(changes: int) -> tuple[int, int]:
    """Requests while the caller's role comes and goes: how many were judged by an old version, of how many."""
    from routeiq_governance.access.snapshot import compiled

    async with _Governed() as it:
        given = compiled(1, [], it.bindings, {})
        taken = compiled(2, [], [], {})
        stale = judged = 0
        for number in range(changes):
            it.access._callers.swap(given if number % 2 == 0 else taken)
            answers = await asyncio.gather(*(it.access.authorize_action(it.ctx, "team:update") for _ in range(20)))
            judged += len(answers)
            stale += sum((answer is True) != (number % 2 == 0) for answer in answers)
        return stale, judged


async def _cedar(rounds: int) -> list[tuple[str, float, float]]:
    from routeiq_policy_cedar.plugin import PolicyCedar
    from routeiq_sdk import Principal
    from routeiq_sdk.testing import FakeGateway, call_hook, make_context, running

    rows = []
    for count in (50, _MANY):
        text = "".join(
            f'forbid(principal in Team::"team-{number}", action == Action::"chat:create", resource == Model::"m");'
            for number in range(count)
        )
        for name, seconds, some in (("kept", 5.0, rounds), ("made anew", 0.0, max(rounds // 10, 100))):
            gateway = FakeGateway("policy-cedar")
            plugin = PolicyCedar(PolicyCedar.Config.model_validate({"decision_seconds": seconds}))
            async with running(plugin, gateway):
                policies = plugin._ready.policies
                found, problems = policies.checker.check(text, "bench")
                if problems:
                    raise RuntimeError(str(problems[0]))
                policies.book = policies._compiled(found)
                ctx = make_context(principal=Principal("k", team="blue", user="u", organization="acme"), model="m")
                ctx.action = "chat:create"
                timed = await _timed(some, lambda plugin=plugin, ctx=ctx: call_hook(plugin, "authorize", ctx))
                rows.append((f"Cedar, {count} policies, {name}", *timed))
    return rows


class _Governed:
    """Access over an embedded database with one key, whose user has 1,000 bindings, the last of which allows it."""

    async def __aenter__(self) -> _Governed:
        from routeiq_governance.access.gate import Access
        from routeiq_governance.access.snapshot import compiled
        from routeiq_governance.config import GovernanceConfig
        from routeiq_governance.identity.gate import Identity
        from routeiq_governance.store import entities
        from routeiq_governance.store.database import Database
        from routeiq_governance.store.entities import Key, User
        from routeiq_sdk import Principal
        from routeiq_sdk.testing import FakeGateway, make_context

        config = GovernanceConfig()
        self.gateway = FakeGateway("governance")
        self.database = Database(config)
        self.identity = Identity(config, self.database)
        self.access = Access(config, self.database, self.identity)
        await self.database.open(self.gateway)
        await self.identity.open(self.gateway)
        await self.access.open(self.gateway)
        id = hashlib.sha256(b"bench").hexdigest()
        async with self.database.begin() as connection:
            await entities.users.insert(connection, User(id="u", role="internal_user"))
            await entities.keys.insert(connection, Key(id=id, user_id="u", models=("small", "b/*")))
        self.bindings: list[dict[str, Any]] = [
            {"id": str(number), "principal": "user:u", "role": role, "scope": "team", "scope_id": f"t{number}"}
            for number in range(_MANY)
            for role in ("team_admin" if number == _MANY - 1 else "viewer",)
        ]
        self.access._callers.swap(compiled(1, [], self.bindings, {}))
        self.ctx = make_context(principal=Principal(id), model="small", route="/v1/chat/completions")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.access.close()
        await self.identity.close()
        await self.gateway.aclose()
        await self.database.close()


async def _timed(rounds: int, decide: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Median and 99th percentile in microseconds."""
    for _ in range(min(rounds, 100)):
        await decide()
    took = []
    for _ in range(rounds):
        started = time.perf_counter_ns()
        await decide()
        took.append((time.perf_counter_ns() - started) / 1000)
    cuts = statistics.quantiles(took, n=100)
    return statistics.median(took), cuts[98]


BENCH = registry.Bench("access", "decisions over roles and Cedar policies", add_options, run)
