"""What telemetry costs: the same gateway with none, with each of otel, prometheus and audit, and with all three.
Side by side on one core, round-robin. The collector takes everything and keeps nothing, on the other core."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import arena, machine
from bench.contenders import MODEL, Command, Contender, Place
from bench.load import Load
from bench.measure import Burst, load_contender, measure
from bench.processes import ProcessTree
from bench.provision import HERE, require
from bench.proxy_targets import Figures
from bench.registry import Bench
from bench.report import Grid, Report
from bench.targets import Target, at_most

OFF = {name: {"enabled": False} for name in ("otel", "prometheus")}
PRICES = {"input_cost_per_token": "0.00000015", "output_cost_per_token": "0.0000006"}
MOST_LOST = 15.0


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--loads", default="16,16s", help="default: %(default)s; s = stream")
    parser.add_argument("--rounds", type=int, default=5, help="visits to each gateway (default: %(default)s)")
    parser.add_argument("--secs", type=int, default=3, help="seconds a visit (default: %(default)s)")
    parser.add_argument("--profiles", default="minimal,standard", help="default: %(default)s")


def plugins(names: tuple[str, ...], place: Place, collector: int) -> dict[str, Any]:
    """Only these sinks; the profile's own are switched off when they are not among them."""
    own: dict[str, Any] = {
        "otel": {"endpoint": f"http://127.0.0.1:{collector}"},
        "prometheus": {},
        "audit": {
            "spool": str(place.folder / "spool"),
            "sinks": [{"kind": "file", "path": str(place.folder / "audit")}],
        },
    }
    return {**OFF, **{name: own[name] for name in names}}


def gateway(profile: str, names: tuple[str, ...], collector: int) -> Callable[[Place], Command]:
    def command(place: Place) -> Command:
        params = {
            "model": f"openai/{MODEL}",
            "api_base": f"{place.upstream}/v1",
            "api_key": "sk-upstream",
            **PRICES,
        }
        config = {
            "model_list": [{"model_name": MODEL, "litellm_params": params}],
            "general_settings": {"master_key": place.key},
            "routeiq": {
                "profile": profile,
                "data_dir": str(place.folder / "data"),
                "server": {"workers": 1},
                "plugins": plugins(names, place, collector),
            },
        }
        path = place.write("routeiq.yaml", json.dumps(config))
        listen = ["--host", "127.0.0.1", "--port", str(place.port)]
        argv = [sys.executable, "-m", "routeiq", "serve", "--config", path, *listen]
        return Command(argv, {}, {"Authorization": f"Bearer {place.key}"})

    return command


SETS: dict[str, tuple[str, ...]] = {
    "none": (),
    "otel": ("otel",),
    "prometheus": ("prometheus",),
    "audit": ("audit",),
    "all": ("otel", "prometheus", "audit"),
}


def run(args: argparse.Namespace, console: Console) -> Report:
    require("wrk", "cc")
    arena.claim_cores()
    loads = [Load.parse(text) for text in args.loads.split(",")]
    profiles = args.profiles.split(",")
    report, bursts = Report("telemetry"), list[Burst]()
    columns = TextColumn("{task.description:<36}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-telemetry-")))
        collector = arena.free_port()
        argv = [sys.executable, "-m", "bench.apps.serve", "hello", str(collector)]
        env = {"PYTHONPATH": str(HERE.parent), "BENCH_UPSTREAM": ""}
        sink = stack.enter_context(ProcessTree(argv, core=arena.LOAD_CORE, env=env, folder=folder))
        mock, port = stack.enter_context(arena.mock_upstream(args.cache, 0))
        live = []
        for profile in profiles:
            for name, names in SETS.items():
                contender = Contender(f"{profile}: {name}", name, gateway(profile, names, collector))
                live.append(stack.enter_context(arena.running(contender, port, args.cache)))
                console.print(f"{contender.name} up after {live[-1].started.first_answer:.1f} s")
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("warming up", total=args.rounds * len(live) * len(loads))
            for target in live:
                for load in loads:
                    load_contender(target, load, 2)
            for _ in range(args.rounds):
                for target in live:
                    for load in loads:
                        progress.update(task, description=f"{target.contender.name} at {load}")
                        burst = measure(target, load, args.secs, [mock, sink])
                        bursts.append(burst)
                        if not burst.valid:
                            report.failed[f"{burst.contender} at {load}"] = f"{burst.bad} of {burst.requests} bad"
                        progress.advance(task)
    figures = Figures(bursts)
    report.grids = [_grid(figures, str(load), profiles) for load in loads]
    report.verdicts = [
        _target(profile, str(load)).judge(partial(lost, figures, profile, "all", str(load)))
        for profile in profiles
        for load in loads
    ]
    report.data = {"machine": machine.describe(args.cache), "bursts": [burst.as_dict() for burst in bursts]}
    return report


def _target(profile: str, load: str) -> Target:
    return at_most(f"throughput that all telemetry costs, profile {profile}, c={load}", "%", must=MOST_LOST)


def lost(figures: Figures, profile: str, name: str, load: str) -> float:
    """Per cent of a core's throughput, by CPU per request: the medians, since disturbances hit both alike."""
    none = statistics.median(burst.cpu_us for burst in figures.rounds(f"{profile}: none", load))
    some = statistics.median(burst.cpu_us for burst in figures.rounds(f"{profile}: {name}", load))
    return 100.0 * (1.0 - none / some)


def _grid(figures: Figures, load: str, profiles: list[str]) -> Grid:
    rows = []
    for profile in profiles:
        for name in SETS:
            rounds = figures.rounds(f"{profile}: {name}", load)
            rows.append(
                (
                    f"{profile}: {name}",
                    f"{min(burst.cpu_us for burst in rounds):,.0f}",
                    f"{statistics.median(burst.cpu_us for burst in rounds):,.0f}",
                    f"{max(burst.rps for burst in rounds):,.0f}",
                    f"{statistics.median(burst.p50_ms for burst in rounds):.2f}",
                    f"{statistics.median(burst.p99_ms for burst in rounds):.2f}",
                    f"{lost(figures, profile, name, load):.1f}",
                    f"{statistics.median(burst.foreign_cores for burst in rounds):.2f}",
                )
            )
    columns = ("telemetry", "CPU us/req", "median", "req/s", "p50 ms", "p99 ms", "throughput lost %", "foreign cores")
    return Grid(f"load {load}", columns, rows)


BENCH = Bench("telemetry", "what otel, prometheus and audit cost, alone and together", add_options, run)
