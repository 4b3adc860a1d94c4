"""`routeiq top` against real gateways: what it shows, as tables, as JSON, in a terminal, and when nobody answers."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import sys

import pyte
import pytest

from routeiq.cli.top import screen
from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import KEY, openai_row
from routeiq_testkit.pytest_plugin import StartGateway

COMMAND = [sys.executable, "-m", "routeiq", "top"]


async def ran(*arguments: str, key: str | None = KEY) -> tuple[int | None, str, str]:
    bare = {name: value for name, value in os.environ.items() if not name.endswith(("_KEY", "_URL"))}
    environment = {**bare, **({"ROUTEIQ_API_KEY": key} if key else {}), "COLUMNS": "140"}
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode, out.decode(), err.decode()


async def test_one_look_as_json_tells_what_happened(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> None:
    row = openai_row("m", scripted_upstream.base_url, input_cost_per_token="0.001", output_cost_per_token="0.001")
    running = await gateway({"model_list": [row], "router_settings": {"num_retries": 0}})
    scripted_upstream.script(Reply.chat("yes"), Reply.chat("yes"), Reply.error(400, "no"))
    for _ in range(3):
        await running.chat("m")
    await running.chat("unknown")
    code, out, err = await ran("--url", running.url, "--once", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["workers"] == 1
    assert told["requests_per_second"] * told["window_seconds"] == pytest.approx(4, abs=0.5)
    assert (told["models"]["m"]["errors"], told["models"]["m"]["attempts"]) == (1, 3)
    assert told["models"]["m"]["cost_usd_per_hour"] > 0
    assert told["first_token_ms"]["p50"] > 0
    assert told["refused"] == {"route": 1}
    assert sum(told["by_second"]) == 4


async def test_one_look_as_tables(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> None:
    running = await gateway({"model_list": [openai_row("my-model", scripted_upstream.base_url)]})
    await running.chat("my-model")
    code, out, _ = await ran("--url", running.url, "--once")
    assert code == 0
    assert "my-model" in out
    assert "requests/s" in out
    assert "breakers open" in out


@pytest.mark.parametrize(
    ("key", "told"), [("sk-wrong-wrong-wrong-wrong", "does not accept this key"), (None, "a key is needed")]
)
async def test_a_key_that_does_not_fit_is_told(gateway: StartGateway, key: str | None, told: str) -> None:
    running = await gateway({"model_list": []})
    code, _, err = await ran("--url", running.url, "--once", key=key)
    assert code != 0
    assert told in err


async def test_nobody_there_is_told() -> None:
    code, _, err = await ran("--url", "http://127.0.0.1:9", "--once", "--json")
    assert code == 1
    assert "no gateway answers at http://127.0.0.1:9" in err


async def test_it_draws_in_a_terminal_goes_on_and_ends_with_q(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    running = await gateway({"model_list": [openai_row("my-model", scripted_upstream.base_url)]})
    await running.chat("my-model")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "ROUTEIQ_API_KEY": KEY, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "30"}
    arguments = ("--url", running.url, "--interval", "0.2")
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    terminal = pyte.Screen(120, 30)
    stream = pyte.ByteStream(terminal)
    loop = asyncio.get_running_loop()
    drawn = asyncio.Event()

    def read() -> None:
        try:
            stream.feed(os.read(ours, 65536))
        except OSError:
            loop.remove_reader(ours)
        drawn.set()

    async def shows(text: str) -> None:
        async with asyncio.timeout(20):
            while text not in "\n".join(terminal.display):
                drawn.clear()
                await drawn.wait()

    loop.add_reader(ours, read)
    await shows("my-model")
    os.write(ours, b"q")
    assert await asyncio.wait_for(process.wait(), 10) == 0
    loop.remove_reader(ours)
    os.close(ours)


def test_an_idle_gateway_is_drawn_too() -> None:
    told = {
        "version": "1", "config": "c", "uptime_seconds": 4000, "workers": 2, "requests_per_second": 0.0,
        "errors_per_second": 0.0, "tokens_per_second": 0.0, "cost_usd_per_hour": 0.0,
        "first_token_ms": {"p50": None, "p95": None}, "by_second": [0] * 60, "models": {}, "strategies": {},
        "refused": {}, "benched": {"abc": 3.0}, "in_flight": 0, "shed": 0, "events_lost": 0, "records_lost": 0,
        "state": {"store": "memory", "status": "ok"},
    }  # fmt: skip
    from rich.console import Console

    console = Console(width=140, record=True)
    console.print(screen(told, "http://127.0.0.1:4000"))
    text = console.export_text()
    assert "no request in the last minute" in text
    assert "up 1 h 6 m" in text
    assert "abc 3 s" in text
