"""Throughput and CPU per request of every contender, plain and streaming, side by side on one core.
All contenders of a phase are up at once and visited round-robin, so that each meets the same conditions."""

from __future__ import annotations

import argparse
import statistics
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import arena, machine
from bench.contenders import CONTENDERS, Contender, prepare, select
from bench.load import Load, LoadFailed, Mode
from bench.measure import Burst, burst_seconds, load_contender, measure
from bench.processes import ProcessEnded, ProcessTree
from bench.provision import BenchSetupError, require
from bench.proxy_targets import Figures, judge
from bench.registry import Bench
from bench.report import Grid, Report

PACED_GAP_MS = 5
WARM_UP_SECONDS = 1
COLUMNS = (
    "contender",
    "CPU us/req",
    "median",
    "req/s",
    "p50 ms",
    "p99 ms",
    "of the core",
    "PSS MiB",
    "bad",
    "foreign cores",
)


def add_options(parser: argparse.ArgumentParser) -> None:
    names = ",".join(contender.name for contender in CONTENDERS)
    parser.add_argument("--contenders", default=names, help="names or patterns, by comma (default: all)")
    parser.add_argument(
        "--loads", default="1,16,64,16s,16p,64p", help="default: %(default)s; s = stream, p = paced stream"
    )
    parser.add_argument("--rounds", type=int, default=3, help="visits to each contender (default: %(default)s)")
    parser.add_argument("--secs", type=int, default=4, help="seconds a visit (default: %(default)s)")


@dataclass
class Run:
    args: argparse.Namespace
    console: Console
    outcome: Report = field(default_factory=lambda: Report("proxy"))
    bursts: list[Burst] = field(default_factory=list)

    @property
    def cache(self) -> Path:
        return Path(self.args.cache)

    def phase(self, contenders: list[Contender], loads: list[Load], progress: Progress) -> None:
        """One mock upstream, every contender in front of it, and the rounds."""
        if not loads:
            return
        task = progress.add_task("starting", total=None)
        gap = PACED_GAP_MS if loads[0].mode is Mode.PACED else 0
        with ExitStack() as stack:
            mock, port = stack.enter_context(arena.mock_upstream(self.cache, gap))
            live = self._start_all(contenders, port, stack)
            expected = {target.contender.name: self._warm_up(target, loads) for target in live}
            progress.update(task, total=self.args.rounds * sum(len(_fitting(t.contender, loads)) for t in live))
            for number in range(self.args.rounds):
                for target in live:
                    for load in _fitting(target.contender, loads):
                        progress.update(task, description=f"{target.contender.name} at {load}")
                        self._visit(target, load, expected[target.contender.name], [mock])
                        progress.advance(task)
                self.console.print(f"round {number + 1} of {self.args.rounds} done, {gap} ms between events")

    def _start_all(self, contenders: list[Contender], port: int, stack: ExitStack) -> list[arena.Running]:
        live = []
        for contender in contenders:
            try:
                target = stack.enter_context(arena.running(contender, port, self.cache))
            except (ProcessEnded, arena.WrongAnswer) as error:
                self.outcome.failed[contender.name] = str(error)
                continue
            live.append(target)
            self.console.print(f"{contender.name} up after {target.started.first_answer:.1f} s")
        return live

    def _warm_up(self, target: arena.Running, loads: list[Load]) -> dict[Mode, float]:
        """Requests a second to expect, by mode; also what fills caches and compiles hot code."""
        rates = {}
        for mode in {load.mode for load in _fitting(target.contender, loads)}:
            try:
                rates[mode] = load_contender(target, Load(16, mode), WARM_UP_SECONDS).requests / WARM_UP_SECONDS
            except LoadFailed as error:
                self.outcome.failed[target.contender.name] = str(error)
        return rates

    def _visit(
        self, target: arena.Running, load: Load, expected: dict[Mode, float], bystanders: list[ProcessTree]
    ) -> None:
        seconds = burst_seconds(self.args.secs, load, expected.get(load.mode, 0.0))
        try:
            burst = measure(target, load, seconds, bystanders)
        except (LoadFailed, ProcessEnded) as error:
            self.outcome.failed[f"{target.contender.name} at {load}"] = str(error)
            return
        self.bursts.append(burst)
        if not burst.valid:
            self.outcome.failed[f"{burst.contender} at {load}"] = f"{burst.bad} bad of {burst.requests} answers"


def _fitting(contender: Contender, loads: list[Load]) -> list[Load]:
    return [load for load in loads if contender.streams or load.mode is Mode.PLAIN]


def run(args: argparse.Namespace, console: Console) -> Report:
    try:
        loads = [Load.parse(text) for text in args.loads.split(",")]
    except ValueError as error:
        raise BenchSetupError(str(error)) from None
    require("wrk", "cc")
    state = Run(args, console)
    contenders, state.outcome.skipped = prepare(select(args.contenders), args.cache, console.print)
    arena.claim_cores()
    columns = TextColumn("{task.description:<36}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as progress:
        paced = [load for load in loads if load.mode is Mode.PACED]
        state.phase(contenders, [load for load in loads if load not in paced], progress)
        state.phase([contender for contender in contenders if contender.streams], paced, progress)
    figures = Figures(state.bursts)
    state.outcome.grids = [_grid(figures, str(load)) for load in loads]
    state.outcome.verdicts = judge(figures)
    state.outcome.data = {
        "machine": machine.describe(args.cache),
        "options": {"rounds": args.rounds, "secs": args.secs, "loads": args.loads},
        "bursts": [burst.as_dict() for burst in state.bursts],
    }
    return state.outcome


def _grid(figures: Figures, load: str) -> Grid:
    rows = [_row(figures.rounds(contender, load)) for contender in figures.contenders(load)]
    return Grid(f"load {load}: best round", COLUMNS, rows)


def _row(rounds: list[Burst]) -> list[str]:
    best = min(rounds, key=lambda burst: (not burst.valid, burst.cpu_us))
    median = statistics.median(burst.cpu_us for burst in rounds)
    return [
        best.contender,
        f"{best.cpu_us:,.0f}",
        f"{median:,.0f}",
        f"{best.rps:,.0f}",
        f"{best.p50_ms:.2f}",
        f"{best.p99_ms:.2f}",
        f"{best.core_use:.0%}",
        f"{best.tree_pss_mib:.0f}",
        str(sum(burst.bad for burst in rounds)),
        f"{best.foreign_cores:.2f}",
    ]


BENCH = Bench(
    "proxy", "throughput and CPU per request against nginx, LiteLLM, Portkey and the floors", add_options, run
)
