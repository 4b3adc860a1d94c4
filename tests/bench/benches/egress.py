"""Whether hostile URLs come through, whether other parsers agree with ours, and what the egress costs a call.
No paid provider and no name server is asked; everything is on loopback, in one process."""

from __future__ import annotations

import argparse
import asyncio
import socket
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from rich.console import Console

from bench.registry import Bench
from bench.report import Grid, Report
from bench.targets import at_most

HITS = at_most("S1: canary hits", "", must=0)
ANSWERED = at_most("S1: hostile URLs that were answered", "", must=0)
DISAGREEMENTS = at_most("S4: hosts read differently", "", must=0)
RULES = at_most("S6: rules of a cached call, p50", "us", must=100.0)
WHOLE = at_most("S6: a provider's call beside bare aiohttp, p50", "us", must=100.0)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cases", type=int, default=1_000_000, help="made-up URLs (1000000)")
    parser.add_argument("--rounds", type=int, default=5_000, help="timed calls (5000)")
    parser.add_argument("--seed", type=int, default=7, help="of the made-up URLs (7)")


def run(args: argparse.Namespace, console: Console) -> Report:
    from security.url_fuzz import count, made_up

    ways, urls = asyncio.run(_hostile(console))
    hits, answered = sum(way[1] for way in ways), sum(way[2] for way in ways)
    console.print(f"{args.cases} made-up URLs")
    taken, wrong = count(made_up(args.seed), args.cases)
    for text in wrong[:20]:
        console.print(text, markup=False)
    costs = asyncio.run(_costs(args.rounds))
    s1 = Grid(
        f"S1: {urls} hostile URLs by every way in",
        ("way in", "canary hits", "answered"),
        [(name, str(hit), str(through)) for name, hit, through in ways],
    )
    s4 = Grid(
        "S4: ours beside urlsplit, httpx, yarl and urllib3",
        ("cases", "taken by us", "read differently"),
        [(str(args.cases), str(taken), str(len(wrong)))],
    )
    s6 = Grid(
        "S6: CPU microseconds of a call",
        ("what", "p50", "p99"),
        [(name, f"{p50:.1f}", f"{p99:.1f}") for name, p50, p99 in costs],
    )
    figures = {name: p50 for name, p50, _ in costs}
    verdicts = [
        HITS.judge(lambda: float(hits)),
        ANSWERED.judge(lambda: float(answered)),
        DISAGREEMENTS.judge(lambda: float(len(wrong))),
        RULES.judge(lambda: figures["rules"]),
        WHOLE.judge(lambda: figures["a provider's"] - figures["bare aiohttp"]),
    ]
    data: dict[str, Any] = {
        "urls": urls,
        "ways": {name: {"hits": hit, "answered": through} for name, hit, through in ways},
        "cases": args.cases,
        "taken": taken,
        "different": len(wrong),
        "microseconds": {name: {"p50": p50, "p99": p99} for name, p50, p99 in costs},
    }
    return Report("egress", [s1, s4, s6], verdicts, data)


async def _hostile(console: Console) -> tuple[list[tuple[str, int, int]], int]:
    from security.hostile import ENTRY_POINTS, Canaries, all_urls, arrivals, place

    urls, rows = all_urls(), []
    canaries = Canaries()
    await canaries.start()
    for name, enter in ENTRY_POINTS.items():
        console.print(f"{len(urls)} URLs by {name}")
        async with place() as at:
            hits, answered = await arrivals(enter, canaries, at, urls)
        async with place("127.0.0.0/8") as at:
            told, _ = await arrivals(enter, canaries, at, ["http://www.example.com:{port}"])
        if told != 1:
            raise RuntimeError(f"the canary does not notice what comes by {name}")
        rows.append((name, hits, len(answered)))
    await canaries.stop()
    return rows, len(urls)


async def _costs(rounds: int) -> list[tuple[str, float, float]]:
    import aiohttp
    from aiohttp import web
    from aiohttp.abc import AbstractResolver, ResolveResult

    from routeiq.egress import Egress, EgressPolicy

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    text = f"http://model.example:{port}/v1/models"

    async def look_up(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    tenants = {"red": ["model.example"], "net": ["127.0.0.0/8"]}
    policy = EgressPolicy.compile([], ["127.0.0.0/8"], tenants)
    by_host, by_network = policy.reach(["red"]), policy.reach(["net"])

    def rules() -> None:
        url = policy.parse(text)
        policy.check_url(url)
        policy.check_address(url.host, url.port, "127.0.0.1")  # as the resolver is checked
        policy.check_address(url.host, url.port, "127.0.0.1")  # as the peer is

    spent = []
    for _ in range(rounds):
        start = time.process_time_ns()
        rules()
        spent.append((time.process_time_ns() - start) / 1000)
    rows = [_row("rules", spent)]

    class Fixed(AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0)]

        async def close(self) -> None:
            pass

    connector = aiohttp.TCPConnector(resolver=Fixed())
    operators = EgressPolicy.compile([text], [])
    async with (
        Egress(operators, lookup=look_up) as provider,
        Egress(policy, lookup=look_up) as egress,
        aiohttp.ClientSession(connector=connector) as bare,
    ):
        parsed = operators.parse(text)

        async def providers() -> None:  # a deployment's URL is parsed once
            async with provider.request("GET", parsed) as response:
                await response.read()

        async def ours(**more: Any) -> None:
            async with egress.request("GET", egress.policy.parse(text), **more) as response:
                await response.read()

        async def theirs() -> None:
            async with bare.get(text, allow_redirects=False) as response:
                await response.read()

        calls: dict[str, Callable[[], Awaitable[None]]] = {
            "bare aiohttp": theirs,
            "a provider's": providers,
            "a stranger's": ours,
            "a stranger's, tenant's hosts": lambda: ours(reach=by_host),
            "a stranger's, tenant's networks": lambda: ours(reach=by_network),
        }
        told: dict[str, list[float]] = {name: [] for name in calls}
        for number in range(rounds + 50):  # in turns, so that whatever else runs here burdens all alike
            for name, call in calls.items():
                start = time.process_time_ns()
                await call()
                if number >= 50:
                    told[name].append((time.process_time_ns() - start) / 1000)
        rows += [_row(name, each) for name, each in told.items()]
    await runner.cleanup()
    return rows


def _row(name: str, spent: list[float]) -> tuple[str, float, float]:
    cuts = statistics.quantiles(spent, n=100)
    return name, statistics.median(spent), cuts[98]


BENCH = Bench("egress", "hostile URLs, parsers that disagree, and what a guarded call costs", add_options, run)
