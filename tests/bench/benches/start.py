"""How long a gateway takes from exec to the open port and to the first answer, and the memory it holds.
The same one-model configuration for all, in front of a mock; every start is on one core."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.progress import Progress

from bench import arena, machine
from bench.contenders import Contender, prepare, select
from bench.load import Load, LoadFailed
from bench.measure import load_contender
from bench.processes import Memory, ProcessEnded
from bench.provision import require
from bench.registry import Bench
from bench.report import Grid, Report
from bench.targets import NotMeasured, Verdict, at_least, at_most

LOAD = Load(16)
COLUMNS = (
    "contender",
    "port open s",
    "first answer s",
    "CPU s until then",
    "processes",
    "idle: largest RSS MiB",
    "tree PSS",
    "under load: largest RSS MiB",
    "tree PSS",
)


@dataclass(frozen=True)
class Start:
    contender: str
    started: arena.Started
    idle: Memory
    loaded: Memory


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--contenders",
        default="routeiq-minimal,routeiq-standard,litellm",
        help="names or patterns, by comma (default: %(default)s)",
    )
    parser.add_argument("--rounds", type=int, default=5, help="starts of each contender (default: %(default)s)")
    parser.add_argument("--secs", type=int, default=2, help="seconds of load before memory is read again")


def run(args: argparse.Namespace, console: Console) -> Report:
    require("wrk", "cc")
    outcome = Report("start")
    contenders, outcome.skipped = prepare(select(args.contenders), args.cache, console.print)
    arena.claim_cores()
    starts: dict[str, list[Start]] = {}
    with Progress(console=console) as progress, arena.mock_upstream(args.cache, 0) as (_, port):
        task = progress.add_task("", total=(args.rounds + 1) * len(contenders))
        for number in range(args.rounds + 1):
            for contender in contenders:
                progress.update(task, description=f"{contender.name}, start {number}")
                progress.advance(task)
                if contender.name in outcome.failed:
                    continue
                try:
                    start = _start(contender, port, args)
                except (ProcessEnded, arena.WrongAnswer, LoadFailed) as error:
                    outcome.failed[contender.name] = str(error)
                    continue
                if number:  # the first start compiles byte code and fills the page cache
                    starts.setdefault(contender.name, []).append(start)
            console.print(f"start {number} of {args.rounds} done")
    outcome.grids = [Grid("medians", COLUMNS, [_row(name, rows) for name, rows in starts.items()])]
    outcome.verdicts = _judge(starts)
    outcome.data = {
        "machine": machine.describe(args.cache),
        "options": {"rounds": args.rounds, "secs": args.secs},
        "starts": [asdict(start) for rows in starts.values() for start in rows],
    }
    return outcome


def _start(contender: Contender, port: int, args: argparse.Namespace) -> Start:
    with arena.running(contender, port, args.cache) as target:
        target.tree.settle()
        idle = target.tree.memory()
        load_contender(target, LOAD, args.secs)
        target.tree.raise_if_ended()
        return Start(contender.name, target.started, idle, target.tree.memory())


def _median(starts: list[Start], value: Callable[[Start], float]) -> float:
    return statistics.median(value(start) for start in starts)


def _row(name: str, starts: list[Start]) -> list[str]:
    return [
        name,
        f"{_median(starts, lambda start: start.started.port_open):.2f}",
        f"{_median(starts, lambda start: start.started.first_answer):.2f}",
        f"{_median(starts, lambda start: start.started.cpu):.2f}",
        f"{_median(starts, lambda start: start.idle.processes):.0f}",
        f"{_median(starts, lambda start: start.idle.largest_rss):.0f}",
        f"{_median(starts, lambda start: start.idle.tree_pss):.0f}",
        f"{_median(starts, lambda start: start.loaded.largest_rss):.0f}",
        f"{_median(starts, lambda start: start.loaded.tree_pss):.0f}",
    ]


def _judge(starts: dict[str, list[Start]]) -> list[Verdict]:
    def median(name: str, value: Callable[[Start], float]) -> float:
        if name not in starts:
            raise NotMeasured(name)
        return _median(starts[name], value)

    def port_open(name: str) -> float:
        return median(name, lambda start: start.started.port_open)

    def process(name: str) -> float:
        return median(name, lambda start: start.idle.largest_rss)

    def against_litellm(value: Callable[[Start], float]) -> float:
        return median("litellm", value) / median("routeiq-standard", value)

    return [
        at_most("start to port open, zero plugins", "s", 1.0).judge(lambda: port_open("routeiq-minimal")),
        at_most("start to port open, default plugins", "s", 1.6).judge(lambda: port_open("routeiq-standard")),
        at_most("memory a process, zero plugins", "MiB", 80).judge(lambda: process("routeiq-minimal")),
        at_most("memory a process, default plugins", "MiB", 140).judge(lambda: process("routeiq-standard")),
        at_least("LiteLLM's time to the first answer over ours", "x", 4, 8).judge(
            lambda: against_litellm(lambda start: start.started.first_answer)
        ),
        at_least("LiteLLM's memory under load over ours", "x", 3, 6).judge(
            lambda: against_litellm(lambda start: start.loaded.tree_pss)
        ),
    ]


BENCH = Bench("start", "time to the open port and the first answer, and memory, against LiteLLM", add_options, run)
