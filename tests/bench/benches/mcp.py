"""What the MCP gateway adds to a tool call, beside a direct call and fastmcp's proxy: CPU of the gateway and of the
upstream, 500 calls at once, and a list of 10,000 tools. Everything is on loopback."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from rich.console import Console

from bench.arena import LOAD_CORE, free_port
from bench.mcp_client import LEGACY, MODERN, Caller, Failed, at_once
from bench.processes import ProcessTree
from bench.registry import Bench
from bench.report import Grid, Report
from bench.targets import at_least, at_most

CPU = at_most("M5: gateway CPU a tools/call (worst era)", "ms", must=5.0, goal=1.0)
UPSTREAM = at_most("M5: upstream CPU beside a direct call (worst era)", "x", must=1.3)
FAILED = at_most("500 calls at once: errors", "", must=0)
LISTED = at_most("10,000 tools listed, warm, p50", "ms", must=200.0)
BESIDE = at_least("CPU a call, fastmcp's proxy beside ours (worst era)", "x", must=1.0)
APPS = Path(__file__).resolve().parent.parent / "apps" / "mcp_apps.py"
GATEWAY_CORE = 0
CONNECTIONS = 8
AT_ONCE = 500
MANY = 10_000


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--calls", type=int, default=2000, help="calls of one measurement (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each, in turn (%(default)s)")


@dataclass(frozen=True)
class Way:
    """A way to the upstream: an address, and the process that stands between (`None`: nobody)."""

    name: str
    url: str
    between: ProcessTree | None


@contextmanager
def _process(argv: list[str], core: int) -> Iterator[ProcessTree]:
    with (
        tempfile.TemporaryDirectory(prefix="bench-mcp-") as folder,
        ProcessTree([sys.executable, *argv], core=core, env=dict(os.environ), folder=Path(folder)) as process,
    ):
        yield process


@contextmanager
def _upstream(tools: int) -> Iterator[tuple[str, ProcessTree]]:
    port = free_port()
    with _process([str(APPS), "upstream", str(port), str(tools)], LOAD_CORE) as process:
        yield f"http://127.0.0.1:{port}/mcp", process


@contextmanager
def _gateway(url: str) -> Iterator[tuple[str, ProcessTree]]:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="bench-mcp-") as folder:
        config = {
            "model_list": [{"model_name": "m", "litellm_params": {"model": "openai/m", "mock_response": "hello"}}],
            "general_settings": {"master_key": "sk-" + secrets.token_urlsafe(32)},
            "mcp_servers": {"bench": {"url": url, "transport": "http"}},
            "routeiq": {
                "profile": "minimal",
                "data_dir": folder,
                "logs": {"level": "warning"},
                "server": {"host": "127.0.0.1", "port": port},
                "plugins": {"mcp": {"virtual_servers": {"open": {"servers": ["bench"], "auth": "none"}}}},
            },
        }
        path = Path(folder) / "routeiq.yaml"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        with _process(["-m", "routeiq", "serve", "--config", str(path)], GATEWAY_CORE) as process:
            yield f"http://127.0.0.1:{port}/open/mcp", process


@contextmanager
def _fastmcp(url: str) -> Iterator[tuple[str, ProcessTree]]:
    port = free_port()
    with _process([str(APPS), "fastmcp", str(port), url], GATEWAY_CORE) as process:
        yield f"http://127.0.0.1:{port}/mcp", process


async def _ready(url: str, *processes: ProcessTree) -> None:
    until = time.monotonic() + 60
    async with aiohttp.ClientSession() as session:
        while True:
            for process in processes:
                process.raise_if_ended()
            try:
                caller = await Caller(session, url, LEGACY, {}).open()
                await caller.call("echo", text="ready")
                return
            except (aiohttp.ClientError, Failed):
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.2)


async def _measured(way: Way, upstream: ProcessTree, era: str, calls: int) -> dict[str, float]:
    """Milliseconds of CPU a call, of the process between and of the upstream; and of time."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        callers = [await Caller(session, way.url, era, {}).open() for _ in range(CONNECTIONS)]
        await at_once(callers, max(50, calls // 10), "echo")
        before = upstream.cpu_seconds(), way.between.cpu_seconds() if way.between is not None else 0.0
        took = await at_once(callers, calls, "echo")
        after = upstream.cpu_seconds(), way.between.cpu_seconds() if way.between is not None else 0.0
    return {
        "between": (after[1] - before[1]) * 1000 / calls,
        "upstream": (after[0] - before[0]) * 1000 / calls,
        "p50": statistics.median(took) * 1000,
    }


async def _burst(url: str) -> tuple[int, float]:
    """Errors of `AT_ONCE` calls at once, each of its own client, and the seconds they took."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        callers = await asyncio.gather(*(Caller(session, url, MODERN, {}).open() for _ in range(AT_ONCE)))
        begun = time.perf_counter()
        told = await asyncio.gather(*(each.call("echo", text="x") for each in callers), return_exceptions=True)
        return sum(isinstance(each, BaseException) for each in told), time.perf_counter() - begun


async def _list(url: str, rounds: int = 9) -> tuple[int, list[float]]:
    async with aiohttp.ClientSession() as session:
        caller = await Caller(session, url, MODERN, {}).open()
        count, took = await caller.tools(), []
        for _ in range(rounds):
            begun = time.perf_counter()
            await caller.tools()
            took.append((time.perf_counter() - begun) * 1000)
        return count, took


def run(args: argparse.Namespace, console: Console) -> Report:
    figures: dict[tuple[str, str], list[dict[str, float]]] = {}
    with _upstream(0) as (direct, upstream):
        asyncio.run(_ready(direct, upstream))
        with _gateway(direct) as (ours, gateway), _fastmcp(direct) as (theirs, proxy):
            asyncio.run(_ready(ours, upstream, gateway))
            asyncio.run(_ready(theirs, upstream, proxy))
            ways = (Way("direct", direct, None), Way("routeiq", ours, gateway), Way("fastmcp proxy", theirs, proxy))
            for number in range(args.rounds):
                for era in (LEGACY, MODERN):
                    for way in ways:
                        console.print(f"round {number + 1}: {way.name}, {era}")
                        told = asyncio.run(_measured(way, upstream, era, args.calls))
                        figures.setdefault((way.name, era), []).append(told)
            errors, seconds = asyncio.run(_burst(ours))
    with _upstream(MANY) as (direct, upstream):
        asyncio.run(_ready(direct, upstream))
        with _gateway(direct) as (ours, gateway):
            asyncio.run(_ready(ours, upstream, gateway))
            count, took = asyncio.run(_list(ours))
            _, straight = asyncio.run(_list(direct, 3))
    return _report(figures, errors, seconds, count, took, straight)


def _report(
    figures: dict[tuple[str, str], list[dict[str, float]]],
    errors: int,
    seconds: float,
    count: int,
    took: list[float],
    straight: list[float],
) -> Report:
    best = {key: {name: min(each[name] for each in told) for name in told[0]} for key, told in figures.items()}
    rows = [
        (name, era, f"{told['between']:.2f}", f"{told['upstream']:.2f}", f"{told['p50']:.1f}")
        for (name, era), told in best.items()
    ]
    calls = Grid("A tools/call, the best round", ("way", "era", "CPU ms between", "CPU ms upstream", "p50 ms"), rows)
    bulk = Grid(
        "Much at once",
        ("what", "figure"),
        [
            (f"{AT_ONCE} calls at once: errors", str(errors)),
            (f"{AT_ONCE} calls at once: seconds", f"{seconds:.2f}"),
            (f"{count} tools listed, warm, p50 ms", f"{statistics.median(took):.0f}"),
            (f"{count} tools listed, directly, p50 ms", f"{statistics.median(straight):.0f}"),
        ],
    )
    eras = (LEGACY, MODERN)

    def worst_ratio() -> float:
        return max(best["routeiq", era]["upstream"] / best["direct", era]["upstream"] for era in eras)

    verdicts = [
        CPU.judge(lambda: max(best["routeiq", era]["between"] for era in eras)),
        UPSTREAM.judge(worst_ratio),
        FAILED.judge(lambda: float(errors)),
        LISTED.judge(lambda: statistics.median(took)),
        BESIDE.judge(lambda: min(best["fastmcp proxy", e]["between"] / best["routeiq", e]["between"] for e in eras)),
    ]
    data: dict[str, Any] = {
        "calls": {f"{name} {era}": told for (name, era), told in best.items()},
        "at_once": {"errors": errors, "seconds": seconds},
        "list": {"tools": count, "ms": took, "direct_ms": straight},
    }
    return Report("mcp", [calls, bulk], verdicts, data)


BENCH = Bench("mcp", "what the MCP gateway adds to a tool call, beside a direct call and a proxy", add_options, run)
