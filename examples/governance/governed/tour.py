"""The example from beginning to end: start the servers, give team A fifty dollars a day, spend them, look at the books.

How commands are run is in `terminal`.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import sys
from contextlib import AsyncExitStack
from itertools import cycle
from pathlib import Path
from typing import Any

import aiohttp
from live_demo.processes import ServerFailed, serving

from governed.terminal import CommandFailed, Terminal

_CONFIG = Path(__file__).resolve().parent.parent / "routeiq.yaml"
_QUESTION = "Write a short note that says what a budget is for."
_MOST_CALLS = 300
_MOST_TOKENS = 120
_NANO = 10**9


def run(folder: Path, *, as_json: bool) -> int:
    """Give the tour; the exit code."""
    out = sys.stderr if as_json else sys.stdout
    try:
        result = asyncio.run(_tour(folder, out))
    except (ServerFailed, CommandFailed) as failure:
        print(f"governance: {failure}", file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps(result, indent=2), flush=True)
    return 0


async def _tour(folder: Path, out: Any) -> dict[str, Any]:
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    master = "sk-" + secrets.token_urlsafe(32)
    async with AsyncExitStack() as stack:
        models = await stack.enter_async_context(
            serving("models", "-m", "routeiq_testkit.simulated", "--port", "0", log=folder / "models.log")
        )
        environment = {"SIMULATED_MODELS": models.url, "ROUTEIQ_MASTER_KEY": master, "EXAMPLE_DATA": str(data)}
        gateway = await stack.enter_async_context(
            serving(
                "gateway",
                *("-m", "routeiq", "serve", "--config", _CONFIG, "--port", "0"),
                log=folder / "gateway.log",
                environment=environment,
            )
        )
        return await _governed(Terminal(gateway.url, master, out))


async def _governed(terminal: Terminal) -> dict[str, Any]:
    terminal.say("The models are simulated and their prices made up.\n")
    await terminal.run("teams", "create", "A", "--id", "team-a", "--model", "writer", "--model", "expert")
    await terminal.run("budgets", "set", "team", "A", "50", "usd/day", "--zone", "UTC")
    keys = {
        name: await terminal.run("keys", "create", "--team", "team-a", "--alias", name) for name in ("alice", "bob")
    }
    terminal.say("Alice and Bob ask until they are refused:")
    answered, refusal = await _spend(terminal.url, keys)
    terminal.say(f"  {answered} answers, then: HTTP {refusal['status']} {refusal['type']}: {refusal['message']}\n")
    await terminal.run("spend", "report", "--by", "team")
    await terminal.run("keys", "list")
    await terminal.run("spend", "report", "--by", "model")
    terminal.say("The ledger has one row a call:")
    rows = await terminal.data("spend", "export")
    for row in rows[:5]:
        terminal.say(f"  {row['startTime'][:19]}  {row['model_group']:<8} {row['spend_nano_usd']:>14,} nano-USD")
    ledger = sum(row["spend_nano_usd"] for row in rows)
    (team,) = await terminal.data("spend", "report", "--by", "team")
    terminal.say(f"  ... {len(rows)} rows, together {ledger:,} nano-USD of {50 * _NANO:,}")
    return {
        "answered": answered,
        "refusal": refusal,
        "ledger_nano_usd": ledger,
        "report_nano_usd": round(team["total_spend"] * _NANO),
        "cap_nano_usd": 50 * _NANO,
        "rows": len(rows),
    }


async def _spend(url: str, keys: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """Ask in turn until a key is refused; how many were answered, and the refusal."""
    async with aiohttp.ClientSession(url) as session:
        callers = cycle(keys.values())
        for number, model in zip(range(_MOST_CALLS), cycle(("writer", "expert"))):
            body = {
                "model": model,
                "messages": [{"role": "user", "content": f"{_QUESTION} ({number})"}],
                "max_tokens": _MOST_TOKENS,
            }
            headers = {"authorization": f"Bearer {next(callers)}"}
            async with session.post("/v1/chat/completions", json=body, headers=headers) as response:
                if response.status != 200:
                    error = (await response.json())["error"]
                    return number, {"status": response.status, "type": error["type"], "message": error["message"]}
    raise CommandFailed(f"nobody was refused within {_MOST_CALLS} calls")
