"""A million spoilt inputs for everything that reads what clients and providers send: how many crash it.
The inputs are those of `tests/security/fuzz_cases.py`; a seed and a number make each of them again."""

from __future__ import annotations

import argparse
import random
import time
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console

from bench import registry
from bench.report import Grid, Report
from bench.targets import at_most

CRASHES = at_most("crashes", "cases", must=0.0)
SLOWEST = at_most("the slowest case, CPU", "ms", must=250.0)
_SHOWN = 3


@dataclass
class Row:
    """What became of one target's cases."""

    cases: int = 0
    crashes: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    slowest_number: int = 0
    told: list[str] = field(default_factory=list)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cases", type=int, default=1_000_000, help="inputs in total (1000000)")
    parser.add_argument("--seed", type=int, default=26, help="makes the inputs (26)")


def run(args: argparse.Namespace, console: Console) -> Report:
    from security.fuzz_cases import TARGETS

    rows: dict[str, Row] = {}
    each = -(-args.cases // len(TARGETS))
    for name, target in TARGETS.items():
        rows[name] = _tried(target, name, each, args.seed)
        console.print(f"{name}: {rows[name].cases} cases, {rows[name].crashes} crashes")
        for told in rows[name].told:
            console.print(f"  {told}", markup=False)
    total = Row(sum(row.cases for row in rows.values()), sum(row.crashes for row in rows.values()))
    total.slowest = max(row.slowest for row in rows.values())
    shown = [
        (name, f"{row.cases:,}", f"{row.crashes}", f"{row.seconds / row.cases * 1e6:.1f}", f"{row.slowest * 1e3:.1f}")
        for name, row in {**rows, "all": total}.items()
    ]
    columns = ("what reads it", "cases", "crashes", "CPU a case, us", "slowest, ms")
    data = {
        name: {"cases": row.cases, "crashes": row.crashes, "slowest_ms": row.slowest * 1e3}
        for name, row in rows.items()
    }
    verdicts = [CRASHES.judge(lambda: total.crashes), SLOWEST.judge(lambda: total.slowest * 1e3)]
    return Report("fuzz", [Grid(f"Spoilt inputs, seed {args.seed}", columns, shown)], verdicts, data)


def _tried(target: Any, name: str, cases: int, seed: int) -> Row:
    from security.fuzz_cases import crash

    row = Row()
    for number in range(cases):
        given = target.make(random.Random(f"{seed} {name} {number}"))
        started = time.process_time()
        error = crash(target, given)
        took = time.process_time() - started
        row.cases += 1
        row.seconds += took
        if took > row.slowest:
            row.slowest, row.slowest_number = took, number
        if error is not None:
            row.crashes += 1
            if len(row.told) < _SHOWN:
                row.told.append(f"case {number}: {error!r} from {given!r}"[:600])
    return row


BENCH = registry.Bench("fuzz", "spoilt inputs for every parser: crashes, and the slowest case", add_options, run)
