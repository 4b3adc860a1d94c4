"""Whether budgets hold while several gateways serve at once, and what governance adds to a request. The gateways are
real processes that share a Valkey and a PostgreSQL; the provider is a mock over HTTP that counts what it bills."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from rich.console import Console
from rich.progress import Progress

from bench import registry
from bench.report import Grid, Report
from bench.targets import at_most
from routeiq_testkit.servers import PostgresServer, ValkeyServer

KEY = "sk-bench-quotas-4f1d9c27a8e06b53"
SECRET = "bench-encryption-key-of-32-characters"
INPUT, OUTPUT = 150, 600
"""Nano-USD a token."""
OVER = at_most("nano-USD spent beyond a cap", "nano-USD", must=0.0)
APART = at_most("nano-USD between ledger, store and provider", "nano-USD", must=0.0)
LEFT = at_most("nano-USD still held after a kill -9, lease + 5 s", "nano-USD", must=0.0)
ADDED = at_most("p50 that governance adds to a request", "ms", must=1.0)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--processes", type=int, default=4, help="gateways (4)")
    parser.add_argument("--in-flight", type=int, default=64, help="requests in flight a gateway (64)")
    parser.add_argument("--requests", type=int, default=20_000, help="requests in all (20,000)")
    parser.add_argument("--overhead", type=int, default=1500, help="requests timed with and without governance (1,500)")


def run(args: argparse.Namespace, console: Console) -> Report:
    return asyncio.run(_run(args, console))


async def _run(args: argparse.Namespace, console: Console) -> Report:
    with tempfile.TemporaryDirectory(prefix="routeiq-quotas-") as folder:
        valkey, postgres = ValkeyServer(), PostgresServer()
        valkey.start()
        postgres.start()
        try:
            async with _provider() as provider:
                bed = _Bed(Path(folder), valkey, postgres, provider)
                held = await _caps(bed, args, console)
                killed = await _kill(bed, console)
                added = await _overhead(bed, args.overhead, console)
        finally:
            valkey.kill()
            postgres.kill()
    caps = Grid(
        f"{args.requests} requests, {args.processes} gateways x {args.in_flight} in flight: US dollars",
        ("scope", "cap", "spent (ledger)", "store", "still held"),
        [(name, *(f"{value / 1e9:.9f}" for value in row)) for name, row in held["scopes"].items()],
    )
    figures = Grid(
        "The run",
        ("", ""),
        [
            (
                "answered / refused by a budget / other",
                " / ".join(str(held[n]) for n in ("served", "refused", "other")),
            ),
            ("the provider billed", f"{held['billed'] / 1e9:.9f}"),
            ("requests a second", f"{held['rate']:.0f}"),
            ("kill -9: holds before / after", f"{killed['before']} / {killed['after']}"),
            ("kill -9: ledger rows of the killed", str(killed["rows"])),
            ("p50 without / with governance, ms", f"{added['without']:.2f} / {added['with']:.2f}"),
        ],
    )
    verdicts = [
        OVER.judge(lambda: float(max(max(0, row[1] - row[0]) for row in held["scopes"].values()))),
        APART.judge(lambda: float(held["apart"])),
        LEFT.judge(lambda: float(killed["held"])),
        ADDED.judge(lambda: added["with"] - added["without"]),
    ]
    return Report("quotas", [caps, figures], verdicts, {"caps": held, "kill": killed, "overhead": added})


@dataclass
class _Provider:
    url: str
    billed: int = 0
    served: int = 0
    hang: bool = False
    hanging: int = 0
    rng: random.Random = field(default_factory=lambda: random.Random(7))

    def bill(self, body: dict[str, Any]) -> dict[str, Any]:
        most = int(body.get("max_completion_tokens") or body.get("max_tokens") or 64)
        written, asked = self.rng.randint(1, max(1, most)), self.rng.randint(5, 12)
        self.billed += asked * INPUT + written * OUTPUT
        self.served += 1
        message = {"role": "assistant", "content": "ok"}
        return {
            "id": f"chatcmpl-{self.served}",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": asked, "completion_tokens": written, "total_tokens": asked + written},
        }


@asynccontextmanager
async def _provider() -> AsyncIterator[_Provider]:
    from aiohttp import web

    provider = _Provider("")

    async def chat(request: web.Request) -> web.Response:
        body = await request.json()
        if provider.hang:
            provider.hanging += 1
            await asyncio.sleep(3600)
        await asyncio.sleep(0.002)
        return web.json_response(provider.bill(body))

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield provider
    finally:
        await runner.cleanup()


@dataclass
class _Bed:
    folder: Path
    valkey: ValkeyServer
    postgres: PostgresServer
    provider: _Provider
    count: int = 0

    def write(self, name: str, plugins: dict[str, Any], database: str | None, **block: Any) -> Path:
        params = {
            "model": "openai/m",
            "api_base": self.provider.url,
            "api_key": "sk-x",
            "input_cost_per_token": f"{INPUT / 1e9:.9f}",
            "output_cost_per_token": f"{OUTPUT / 1e9:.9f}",
        }
        general = {"master_key": KEY, **({"database_url": database} if database else {})}
        config = {
            "model_list": [{"model_name": "m", "litellm_params": params}],
            "router_settings": {"num_retries": 0},
            "general_settings": general,
            "routeiq": {
                "profile": "minimal",
                "data_dir": str(self.folder / f"{name}-data"),
                "server": {"port": 0},
                "logs": {"level": "warning"},
                "limits": {"in_flight": 1024},
                "plugins": plugins,
                **block,
            },
        }
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(config))
        return path

    async def governed(self, count: int) -> tuple[list[_Gateway], str]:
        """Gateways that share an empty Valkey and a new database."""
        self.valkey.flush()
        database = await self.postgres.database()
        state = {"state": {"url": self.valkey.url}}
        plugins = {"governance": {"encryption_key": SECRET}}
        self.count += 1
        paths = [self.write(f"g{self.count}-{number}", plugins, database, **state) for number in range(count)]
        subprocess.run([sys.executable, "-m", "routeiq", "migrate", "--config", str(paths[0])], check=True)
        return [await _Gateway.start(path) for path in paths], database


@dataclass
class _Gateway:
    process: subprocess.Popen[str]
    url: str

    @classmethod
    async def start(cls, path: Path) -> _Gateway:
        command = [sys.executable, "-m", "routeiq", "serve", "--config", str(path), "--json"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sys.stderr, text=True)
        assert process.stdout is not None
        while True:
            line = await asyncio.to_thread(process.stdout.readline)
            if not line:
                raise RuntimeError(f"the gateway of {path.name} did not start")
            if "listening" in line:
                return cls(process, json.loads(line)["listening"])

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


async def _post(client: aiohttp.ClientSession, url: str, path: str, key: str, body: dict[str, Any]) -> tuple[int, Any]:
    async with client.post(url + path, json=body, headers={"authorization": f"Bearer {key}"}) as response:
        answer = await response.json()
        if response.status >= 400 and key == KEY:
            raise RuntimeError(f"{path}: {response.status} {answer}")
        return response.status, answer


async def _caps(bed: _Bed, args: argparse.Namespace, console: Console) -> dict[str, Any]:
    gateways, database = await bed.governed(args.processes)
    bed.provider.billed = 0
    worth = args.requests * (9 * INPUT + 32 * OUTPUT)
    caps = {"organization": worth * 6 // 10, "team": worth * 4 // 10, "key": worth * 3 // 10}
    dollars = {name: f"{value / 1e9:.9f}" for name, value in caps.items()}
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
            admin = gateways[0].url
            await _post(
                client,
                admin,
                "/organization/new",
                KEY,
                {"organization_id": "o", "organization_alias": "O", "max_budget": dollars["organization"]},
            )
            keys = []
            for team in ("a", "b"):
                told = {"team_id": team, "organization_id": "o", "max_budget": dollars["team"]}
                await _post(client, admin, "/team/new", KEY, told)
                for number in range(2):
                    told = {"team_id": team, **({"max_budget": dollars["key"]} if number == 0 else {})}
                    _, made = await _post(client, admin, "/key/generate", KEY, told)
                    keys.append(made)
            counts = await _load(client, gateways, [made["key"] for made in keys], args, console)
            await asyncio.sleep(3)
            scopes, apart = await _compare(bed, client, admin, caps, keys, database)
    finally:
        for gateway in gateways:
            gateway.stop()
    return {**counts, "scopes": scopes, "apart": apart, "billed": bed.provider.billed}


async def _load(
    client: aiohttp.ClientSession, gateways: list[_Gateway], keys: list[str], args: argparse.Namespace, console: Console
) -> dict[str, Any]:
    statuses: dict[int, int] = {}
    left = args.requests
    body = {"model": "m", "messages": [{"role": "user", "content": "hello there"}], "max_tokens": 64}
    started = time.perf_counter()
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("requests", total=args.requests)

        async def one(gateway: _Gateway, number: int) -> None:
            nonlocal left
            rng = random.Random(number)
            while left > 0:
                left -= 1
                status, _ = await _post(client, gateway.url, "/v1/chat/completions", rng.choice(keys), body)
                statuses[status] = statuses.get(status, 0) + 1
                progress.advance(task)

        async with asyncio.TaskGroup() as group:
            for place, gateway in enumerate(gateways):
                for number in range(args.in_flight):
                    group.create_task(one(gateway, place * 1000 + number))
    seconds = time.perf_counter() - started
    other = sum(count for status, count in statuses.items() if status not in (200, 422))
    return {
        "served": statuses.get(200, 0),
        "refused": statuses.get(422, 0),
        "other": other,
        "rate": args.requests / seconds,
    }


async def _compare(
    bed: _Bed, client: aiohttp.ClientSession, admin: str, caps: dict[str, int], keys: list[Any], database: str
) -> tuple[dict[str, list[int]], int]:
    totals = {}
    for line in (
        await bed.postgres.execute("SELECT scope, scope_id, spend FROM routeiq_ledger_totals", database)
    ).splitlines():
        scope, id, spend = line.split("|")
        totals[scope, id] = int(spend)
    meters = _Meters(bed.valkey.url)
    scopes: dict[str, list[int]] = {}
    apart = abs(totals.get(("global", ""), 0) - bed.provider.billed)
    named = [("organization", "o", "organization")]
    named += [("team", team, "team") for team in ("a", "b")]
    named += [("key", made["token"], "key") for made in keys[::2]]
    for scope, id, cap in named:
        taken, held = await meters.level(f"{scope}:{id}:budget@0")
        spent = totals.get((scope, id), 0)
        scopes[f"{scope} {id[:8]}"] = [caps[cap], spent, taken, held]
        apart += abs(spent - taken) + held
    await meters.close()
    return scopes, apart


class _Meters:
    """Reads meters as a gateway does."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._made: Any = None

    async def level(self, meter: str) -> tuple[int, int]:
        from routeiq.state.clock import SystemClock
        from routeiq.state.redis_open import open_redis

        if self._made is None:
            self._made = await open_redis(self._url, SystemClock())
        (level,) = await self._made.meters.levels([meter])
        return level.taken, level.held

    async def close(self) -> None:
        if self._made is not None:
            await self._made.aclose()


async def _kill(bed: _Bed, console: Console) -> dict[str, Any]:
    """kill -9 of one of two gateways with 200 calls under way; the other sweeps."""
    gateways, database = await bed.governed(2)
    bed.provider.hang = True
    victim, witness = gateways
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
            _, made = await _post(client, witness.url, "/key/generate", KEY, {"max_budget": 100})
            body = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 64}
            calls = [
                asyncio.ensure_future(_post(client, victim.url, "/v1/chat/completions", made["key"], body))
                for _ in range(200)
            ]
            while bed.provider.hanging < 200:
                await asyncio.sleep(0.05)
            meters = _Meters(bed.valkey.url)
            name = f"key:{made['token']}:budget@0"
            _, before = await meters.level(name)
            victim.process.kill()
            await asyncio.gather(*calls, return_exceptions=True)
            deadline = time.monotonic() + 125 + 5
            held = before
            with console.status("waiting for the lease of the killed (120 s) to run out"):
                while time.monotonic() < deadline and held:
                    await asyncio.sleep(1)
                    _, held = await meters.level(name)
            await asyncio.sleep(1)
            rows = (await bed.postgres.execute("SELECT count(*) FROM routeiq_ledger_entries", database)).strip()
            await meters.close()
    finally:
        bed.provider.hang = False
        for gateway in gateways:
            gateway.stop()
    return {"before": before, "after": held, "held": held, "rows": int(rows)}


async def _overhead(bed: _Bed, requests: int, console: Console) -> dict[str, float]:
    """p50 of one client's requests with and without governance, turn by turn, budgets and rates on key, team and
    organization."""
    plain = await _Gateway.start(bed.write("plain", {}, None))
    (governed,), _ = await bed.governed(1)
    times: dict[str, list[float]] = {"without": [], "with": []}
    try:
        async with aiohttp.ClientSession() as client:
            admin = governed.url
            await _post(
                client,
                admin,
                "/organization/new",
                KEY,
                {"organization_id": "o", "organization_alias": "O", "max_budget": 1000},
            )
            await _post(client, admin, "/team/new", KEY, {"team_id": "t", "organization_id": "o", "max_budget": 1000})
            told = {"team_id": "t", "max_budget": 1000, "rpm_limit": 10_000_000, "tpm_limit": 1_000_000_000}
            _, made = await _post(client, admin, "/key/generate", KEY, told)
            body = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 64}
            with console.status("timing requests"):
                for number in range(requests + 100):
                    for name, url, key in (("without", plain.url, KEY), ("with", governed.url, made["key"])):
                        started = time.perf_counter()
                        status, answer = await _post(client, url, "/v1/chat/completions", key, body)
                        if status != 200:
                            raise RuntimeError(f"{name}: {status} {answer}")
                        if number >= 100:
                            times[name].append((time.perf_counter() - started) * 1000)
    finally:
        plain.stop()
        governed.stop()
    return {name: statistics.median(values) for name, values in times.items()}


BENCH = registry.Bench(
    "quotas", "budgets under load, after a kill, and what governance costs a request", add_options, run
)
assert os.name == "posix"
