"""Two thousand hostile bearers at every place where a key is read: who is let in, and what breaks.
The gateway is a real one with governance on its embedded database, asked over sockets in this process."""

from __future__ import annotations

import argparse
import asyncio
import logging
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench import registry
from bench.report import Grid, Report
from bench.targets import at_most

PASSES = at_most("let in", "requests", must=0.0)
BROKEN = at_most("answers of 500 and above, but 501", "requests", must=0.0)
LINES = 4


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--values", type=int, default=2000, help="bearers, each sent to every place (2000)")


def run(args: argparse.Namespace, console: Console) -> Report:
    statuses, seconds = asyncio.run(_attack(args.values))
    rows = []
    for place, found in statuses.items():
        rows.append(
            (place, *(str(_count(found, low, high)) for low, high in ((200, 399), (400, 499), (500, 599), (0, 0))))
        )
    passes = sum(_count(found, 200, 399) for found in statuses.values())
    # 501 is the engine's word for a transfer coding that it does not know; a value that splits the head brings one.
    broken = sum(_count(found, 500, 599) - found[501] for found in statuses.values())
    total = sum(found.total() for found in statuses.values())
    console.print(f"{total:,} requests in {seconds:.0f} s")
    columns = ("place", "let in", "4xx", "5xx", "closed without an answer")
    verdicts = [PASSES.judge(lambda: float(passes)), BROKEN.judge(lambda: float(broken))]
    data = {place: {str(status): count for status, count in found.items()} for place, found in statuses.items()}
    return Report("bearers", [Grid(f"{args.values} hostile bearers", columns, rows)], verdicts, dict(data))


def _count(found: Counter[int], low: int, high: int) -> int:
    return sum(count for status, count in found.items() if low <= status <= high)


async def _attack(count: int) -> tuple[dict[str, Counter[int]], float]:
    import structlog
    from security.hostile_bearers import OWN_HEADER, PLACES, values

    from routeiq_testkit.gateway import TestGateway, openai_row

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    config = {
        "model_list": [openai_row("fast", "http://127.0.0.1:9/v1")],
        "general_settings": {"litellm_key_header_name": OWN_HEADER},
        "routeiq": {"plugins": {"governance": {}}},
    }
    statuses: dict[str, Counter[int]] = {place: Counter() for place in PLACES}
    hostile = values(count)
    with tempfile.TemporaryDirectory() as folder:
        async with TestGateway(Path(folder), config) as gateway:
            started = time.perf_counter()
            await asyncio.gather(*(_line(gateway.url, hostile[start::LINES], statuses) for start in range(LINES)))
            return statuses, time.perf_counter() - started


async def _line(url: str, some: Sequence[str], statuses: dict[str, Counter[int]]) -> None:
    from security.hostile_bearers import PLACES
    from security.raw_http import Line

    line = Line(url)
    for value in some:
        for place, put in PLACES.items():
            try:
                answer = await line.ask("GET", "/v1/models", [put(value.encode())])
            except (ConnectionError, asyncio.IncompleteReadError):
                statuses[place][0] += 1
            else:
                statuses[place][answer.status] += 1
    line.close()


BENCH = registry.Bench(
    "bearers", "hostile bearers at every place of a key: who is let in, what breaks", add_options, run
)
