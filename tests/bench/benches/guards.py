"""What the built-in guards cost: each per KB of text, in one process; and a stream with all of them against none.
Prices only: how well a guard detects is measured by benches of its own."""

from __future__ import annotations

import argparse
import asyncio
import http.client
import importlib.metadata
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

from rich.console import Console
from rich.progress import Progress

from bench import arena, guard_rows
from bench.contenders import MODEL, Command, Contender, Place
from bench.provision import require
from bench.registry import Bench
from bench.report import Grid, Report
from bench.targets import Target, at_most

PROSE = (
    "The committee met on Tuesday to go over the harvest figures, which had come in later than anyone hoped. Rain in "
    "the second week of June had spoiled part of the barley, and two of the silos near the river still smelled of "
    "damp. Nobody wanted to say so aloud, yet the numbers were clear: a third less than the year before. "
)
CODE = (
    "def total(rows: list[Row], *, since: date) -> Decimal:\n    kept = [row for row in rows if row.day >= since]\n"
    '    if not kept:\n        raise LookupError(f"nothing since {since}")\n'
    "    return sum((row.net for row in kept), 0)\n\n"
)
LEDGER = '{"id": 48213, "when": "2026-03-14T09:26:53Z", "items": [{"sku": "B-1187", "qty": 12, "net": "48.20"}]},\n'
TEXTS = {"prose": PROSE, "code": CODE, "JSON": LEDGER}
KB = 1024
MOST_MS_PER_KB = 0.3
MOST_LOST = 5.0
CHUNKS = 200


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kb", type=int, default=64, help="KB a timed text (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=60, help="times each text is judged (default: %(default)s)")
    parser.add_argument("--streams", type=int, default=8, help="streams a gateway and pace (default: %(default)s)")
    parser.add_argument("--gaps", default="10,0", help="ms between two tokens of the provider (default: %(default)s)")


def run(args: argparse.Namespace, console: Console) -> Report:
    report = Report("guards")
    prices = {name: price(name, args.kb, args.repeats) for name in guard_rows.BUILT_IN}
    report.grids.append(_price_grid(prices))
    report.verdicts = [_per_kb(name).judge(lambda name=name: _p50(prices[name])) for name in prices]
    report.data["us_per_kb"] = {
        name: {kind: sorted(us) for kind, us in found.items()} for name, found in prices.items()
    }
    require("cc")
    arena.claim_cores()
    with tempfile.TemporaryDirectory(prefix="bench-guards-"), Progress(console=console) as progress:
        for gap in (int(text) for text in args.gaps.split(",")):
            rates = streams(args, gap, progress)
            report.grids.append(_stream_grid(rates, gap))
            lost = 100.0 * (1.0 - statistics.median(rates["all guards"]) / statistics.median(rates["none"]))
            if gap:
                report.verdicts.append(_lost(gap).judge(lambda lost=lost: lost))
            report.data[f"tokens_per_second_gap_{gap}_ms"] = {**rates, "lost_percent": lost}
    return report


def price(name: str, kb: int, repeats: int) -> dict[str, list[float]]:
    """Microseconds a KB, by kind of text: what judging a request that says it takes, from its passages to findings."""
    from routeiq_sdk.guards import Passage
    from routeiq_sdk.testing import FakeGateway, make_context

    (point,) = importlib.metadata.entry_points(group="routeiq.guards", name=name)
    plugin: Any = point.load()
    guard = plugin(plugin.Config.model_validate({"guardrails": guard_rows.rows(name)}))
    found: dict[str, list[float]] = {}

    async def timed() -> None:
        await guard.setup(FakeGateway(name))
        ctx = make_context("Hello.")
        (rail,) = guard.rails
        inspector = guard.inspector(ctx, rail)
        for kind, text in TEXTS.items():
            # Every text is another one: a guard that remembers what it saw gains nothing here.
            for number in range(repeats + 3):
                body = (f"Text {number}. " + text * (kb * KB // len(text) + 1))[: kb * KB]
                passage = Passage(body, ("text",), "user")
                began = time.perf_counter()
                inspector.inspect(passage.text, passage.part)
                if number >= 3:
                    found.setdefault(kind, []).append((time.perf_counter() - began) * 1e6 / kb)

    asyncio.run(timed())
    return found


def _p50(found: dict[str, list[float]]) -> float:
    """The dearest kind of text, in milliseconds a KB."""
    return max(statistics.median(us) for us in found.values()) / 1000


def streams(args: argparse.Namespace, gap: int, progress: Progress) -> dict[str, list[float]]:
    """Tokens a second of single streams, the two gateways in turn."""
    rates: dict[str, list[float]] = {"none": [], "all guards": []}
    with ExitStack() as stack:
        _, port = stack.enter_context(arena.mock_upstream(args.cache, gap, CHUNKS))
        live = {
            name: stack.enter_context(arena.running(Contender(f"{name}-{gap}", name, gateway(names)), port, args.cache))
            for name, names in (("none", ()), ("all guards", tuple(guard_rows.BUILT_IN)))
        }
        task = progress.add_task(f"streams, {gap} ms a token", total=2 * args.streams)
        for _, (name, running) in itertools.product(range(args.streams), live.items()):
            rates[name].append(rate(running.port, running.headers))
            progress.advance(task)
    return rates


def gateway(names: tuple[str, ...]) -> Callable[[Place], Command]:
    """A gateway with these guards on requests and answers."""

    def command(place: Place) -> Command:
        params = {"model": f"openai/{MODEL}", "api_base": f"{place.upstream}/v1", "api_key": "sk-upstream"}
        config = {
            "model_list": [{"model_name": MODEL, "litellm_params": params}],
            "general_settings": {"master_key": place.key},
            "guardrails": guard_rows.rows(*names, mode=["pre_call", "post_call"]),
            "routeiq": {
                "profile": "minimal",
                "data_dir": str(place.folder / "data"),
                "plugins": {name: {} for name in names},
            },
        }
        path = place.write("routeiq.yaml", json.dumps(config))
        argv = [sys.executable, "-m", "routeiq", "serve", "--config", path, "--host", "127.0.0.1"]
        return Command([*argv, "--port", str(place.port)], {}, {"Authorization": f"Bearer {place.key}"})

    return command


def rate(port: int, headers: dict[str, str]) -> float:
    """Tokens a second of one stream, from its first to its last."""
    body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": PROSE}]}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        began = time.perf_counter()
        connection.request(
            "POST", "/v1/chat/completions", json.dumps(body), {**headers, "Content-Type": "application/json"}
        )
        tokens = sum(words(line) for line in lines(connection.getresponse()))
        took = time.perf_counter() - began
    finally:
        connection.close()
    if tokens < CHUNKS - 1:  # the first event says the role alone
        raise arena.WrongAnswer(f"a stream of {tokens} tokens instead of {CHUNKS - 1}")
    return tokens / took


def lines(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    if answer.status != 200:
        raise arena.WrongAnswer(f"stream: {answer.status} {answer.read()[:300]!r}")
    while line := answer.readline():
        yield line


def words(line: bytes) -> int:
    """A guard may gather several tokens into one event, so words are counted, not events."""
    return line.count(b"word")


def _per_kb(name: str) -> Target:
    return at_most(f"{name}, p50 of the dearest text", "ms/KB", must=MOST_MS_PER_KB)


def _lost(gap: int) -> Target:
    return at_most(f"tokens/s that all built-in guards cost a stream, {1000 // gap} tokens/s", "%", must=MOST_LOST)


def _price_grid(prices: dict[str, dict[str, list[float]]]) -> Grid:
    rows = [
        (name, *(f"{statistics.median(us):.1f}" for us in found.values()), f"{max(map(_p99, found.values())):.1f}")
        for name, found in prices.items()
    ]
    return Grid("p50, microseconds a KB", ("guard", *TEXTS, "worst p99"), rows)


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def _stream_grid(rates: dict[str, list[float]], gap: int) -> Grid:
    rows = [
        (name, f"{statistics.median(found):,.1f}", f"{min(found):,.1f}", f"{max(found):,.1f}")
        for name, found in rates.items()
    ]
    pace = f"{1000 // gap} tokens/s" if gap else "as fast as it goes"
    return Grid(f"one stream, the provider at {pace}", ("guards", "median tokens/s", "least", "most"), rows)


BENCH = Bench("guards", "what the built-in guards cost a KB, and a stream with all of them", add_options, run)
