"""Whatever calls do, in whatever order: no cap is passed, nothing stays held, ledger and store agree to a
nano-USD. The orders are random, by seed: a failure names its own."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select

from routeiq_governance.store.tables import entries, meters
from routeiq_sdk import Attempt, Context, ModelGroup, Outcome, Principal, Usage
from routeiq_sdk.testing import make_context

from .conftest import Govern
from .world import Governed

DAY = {"unit": "usd", "window": "day"}
CAP, EACH = 5_000_000, 2_000_000

RUNS, STEPS = 40, 40


def steps(seed: int) -> list[tuple[Any, ...]]:
    """The events of a run."""
    r = random.Random(seed)
    kinds = ["begin"] * 6 + ["end"] * 3 + ["stream"] * 4 + ["fall back", "fail", "leave", "settle again", "sweep"]
    told = {
        "begin": lambda: (r.randrange(3), r.randint(1, 200), r.random() < 0.5),
        "fail": lambda: (r.randrange(30), r.choice(["error", "timeout", "cut"])),
        "stream": lambda: (r.randrange(30), r.randint(1, 120)),
        "end": lambda: (r.randrange(30), r.random()),
    }
    return [(kind, *told.get(kind, lambda: (r.randrange(30),))()) for kind in r.choices(kinds, k=STEPS)]


@dataclass
class Call:
    """A call under way, as the core would walk it."""

    ctx: Context
    group: ModelGroup
    most: int
    meter: Any = None
    sent: int = 0
    number: int = 0
    over: bool = False
    params: dict[str, Any] = field(default_factory=dict)


class Machine:
    """Walks calls through the hooks of quotas."""

    def __init__(self, governed: Governed, run: int) -> None:
        self.governed = governed
        self.quotas = governed.parts.quotas
        self.groups = governed.parts.quotas._opened.groups
        self.run = run
        self.calls: list[Call] = []
        self.count = 0

    def pick(self, number: int) -> Call | None:
        open_calls = [call for call in self.calls if not call.over]
        return open_calls[number % len(open_calls)] if open_calls else None

    async def begin(self, who: int, most: int, stream: bool) -> None:
        self.count += 1
        name = f"{self.run}-{self.count}"
        principal = Principal(f"oidc:{who}", kind="user", team=f"{self.run}-{who}")
        ctx = make_context(
            "hello " * (who + 1), principal=principal, request_id=name, model="fast", max_tokens=most, stream=stream
        )
        ctx.tags = frozenset({f"run-{self.run}"})
        call = Call(ctx, self.groups["fast"], most)
        if await self.quotas.reserve(ctx, (call.group,)) is not None:
            await self.quotas.settle(ctx, None)
            return
        self.calls.append(call)
        await self.attempt(call, stream)

    async def attempt(self, call: Call, stream: bool) -> None:
        call.number += 1
        attempt = Attempt(call.number, call.group.deployments[0])
        if await self.quotas.before_attempt(call.ctx, attempt) is not None:
            await self.finish(call)
            return
        call.most = min(call.most, attempt.params.get("max_tokens", call.most))
        call.meter = self.quotas.meter_stream(call.ctx) if stream else None

    async def fall_back(self, call: Call) -> None:
        await self.fail(call, "error")
        if call.over:
            return
        call.group = self.groups["dear"]
        if await self.quotas.reserve(call.ctx, (call.group,)) is not None:
            await self.finish(call)
        else:
            await self.attempt(call, call.ctx.request.stream)

    async def fail(self, call: Call, kind: str) -> None:
        self.note(call, kind, None)
        if kind == "error":
            return
        await self.attempt(call, call.ctx.request.stream)

    def note(self, call: Call, kind: str, usage: Usage | None) -> None:
        deployment = call.group.deployments[0]
        cost = deployment.price.cost(usage) if usage is not None and deployment.price is not None else None
        told = {"dispatched": True, "usage": usage, "cost": cost, "group": call.group.name}
        call.ctx.attempts.append(
            Outcome(call.number, deployment.id, "openai", deployment.model, kind, 200, 1.0, **told)  # type: ignore[arg-type]
        )

    async def stream(self, call: Call, size: int) -> None:
        if call.meter is None:
            return
        events = call.sent + size
        if events <= call.most:
            if call.meter.passed(events, events) and await call.meter.more() is not None:
                await self.end(call, 0.0, kind="cancelled")
            else:
                call.sent = events

    async def end(self, call: Call, part: float, kind: str = "ok") -> None:
        written = call.sent if call.meter is not None else int(call.most * part)
        self.note(call, kind, Usage(20, written))
        await self.finish(call)

    async def finish(self, call: Call) -> None:
        call.over = True
        await self.quotas.settle(call.ctx, None)

    async def step(self, step: tuple[Any, ...]) -> None:
        kind, *told = step
        if kind == "begin":
            await self.begin(*told)
        elif kind == "sweep":
            await self.quotas._sweeper.sweep(self.quotas._opened)
        elif kind == "settle again":
            for call in self.calls[-3:]:
                if call.over:
                    await self.quotas.settle(call.ctx, None)
        elif (call := self.pick(told[0])) is not None:
            if kind == "fall back":
                await self.fall_back(call)
            elif kind == "fail":
                await self.fail(call, told[1])
            elif kind == "stream":
                await self.stream(call, told[1])
            elif kind == "end":
                await self.end(call, told[1])
            else:
                await self.finish(call)


async def test_no_order_of_events_passes_a_cap_or_loses_a_nano_dollar(govern: Govern) -> None:
    governed = await govern(
        {"id": "run", "scope": {"tag": "*"}, "limit": CAP / 1e9, **DAY},
        {"id": "who", "scope": {"team": "*"}, "limit": EACH / 1e9, **DAY},
        {"id": "rate", "scope": {"team": "*"}, "limit": 25, "unit": "requests", "window": "day"},
        plugin={"stream_slice": 16},
    )
    served = refused = 0
    for seed in range(1, RUNS + 1):
        machine = Machine(governed, seed)
        for step in steps(seed):
            await machine.step(step)
        for call in machine.calls:
            if not call.over:
                await machine.end(call, 0.5)
        await governed.agree()
        async with governed.parts.database.read() as connection:
            spent, tagged, who = await _sums(connection, seed)
        assert spent == tagged <= CAP, f"seed {seed}"
        assert all(amount <= EACH for amount in who), f"seed {seed}"
        assert not governed.parts.quotas._live._holds, f"seed {seed}"
        served += len(machine.calls)
        refused += machine.count - len(machine.calls)
    assert served > 200
    assert refused > 20


async def _sums(connection: Any, run: int) -> tuple[int, int, list[int]]:
    cost = select(func.coalesce(func.sum(entries.c.cost), 0)).where(entries.c.request_id.startswith(f"{run}-"))
    spent = int((await connection.execute(cost)).scalar_one())
    of = select(meters.c.amount).where
    tag = await connection.execute(of(meters.c.meter.startswith(f"run[tag=run-{run}]")))
    teams = await connection.execute(of(meters.c.meter.startswith(f"who[team={run}-")))
    return spent, sum(tag.scalars().all()), list(teams.scalars().all())
