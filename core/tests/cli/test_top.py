"""`routeiq top` against real gateways: what it shows, as tables, as JSON, in a terminal, and when nobody answers."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyte
import pytest
from rich.console import Console

from routeiq.cli.top_screen import screen
from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import KEY, openai_row
from routeiq_testkit.pytest_plugin import StartGateway

COMMAND = [sys.executable, "-m", "routeiq", "top"]


async def ran(*arguments: str, key: str | None = KEY) -> tuple[int | None, str, str]:
    bare = {name: value for name, value in os.environ.items() if not name.endswith(("_KEY", "_URL"))}
    environment = {**bare, **({"ROUTEIQ_MASTER_KEY": key} if key else {}), "COLUMNS": "140"}
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode, out.decode(), err.decode()


async def test_one_look_as_json_tells_what_happened(gateway: StartGateway, scripted_upstream: ScriptedUpstream) -> None:
    row = openai_row("m", scripted_upstream.base_url, input_cost_per_token="0.001", output_cost_per_token="0.001")
    running = await gateway({"model_list": [row], "router_settings": {"num_retries": 0}})
    scripted_upstream.script(Reply.chat("yes"), Reply.stream("yes"), Reply.error(400, "no"))
    await running.chat("m")
    await running.stream("m")
    await running.chat("m")
    await running.chat("unknown")
    code, out, err = await ran("--url", running.url, "--once", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["workers"] == 1
    assert told["requests_per_second"] * told["window_seconds"] == pytest.approx(4, abs=0.5)
    assert (told["models"]["m"]["errors"], told["models"]["m"]["attempts"]) == (1, 3)
    assert told["models"]["m"]["cost_usd_per_hour"] > 0
    assert told["models"]["m"]["first_token_ms"] == told["first_token_ms"]
    assert told["first_token_ms"]["p50"] > 0
    assert 0 < told["latency_ms"]["p50"] <= told["latency_ms"]["p95"]
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


async def test_the_key_comes_from_the_configuration_too(gateway: StartGateway) -> None:
    running = await gateway({"model_list": []})
    code, out, err = await ran("--url", running.url, "--config", str(running.path), "--once", "--json", key=None)
    assert code == 0, err
    assert json.loads(out)["version"]


async def test_another_service_is_told(scripted_upstream: ScriptedUpstream) -> None:
    scripted_upstream.default = Reply.json({"hello": "world"})
    code, _, err = await ran("--url", scripted_upstream.origin, "--once")
    assert code == 1
    assert "is the address right?" in err or "is it a RouteIQ gateway?" in err


async def test_lines_of_json_go_on_until_they_are_stopped(gateway: StartGateway) -> None:
    running = await gateway({"model_list": []})
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "--url", running.url, "--json", "--interval", "0.2", "--key", KEY),
        stdout=asyncio.subprocess.PIPE,
        # Whoever runs the tests in the background may ignore Ctrl-C, and a child would go on ignoring it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        for _ in range(3):
            assert json.loads(await process.stdout.readline())["workers"] == 1
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0, "Ctrl-C is the usual end"


class Terminal:
    """`routeiq top` in a terminal of its own."""

    def __init__(self, ours: int, process: asyncio.subprocess.Process) -> None:
        self._ours = ours
        self.process = process
        self._screen = pyte.Screen(140, 40)
        self._stream = pyte.ByteStream(self._screen)
        self._drawn = asyncio.Event()
        asyncio.get_running_loop().add_reader(ours, self._read)

    @classmethod
    @asynccontextmanager
    async def of(cls, url: str, key: str = KEY) -> AsyncIterator[Terminal]:
        """Start it there."""
        ours, theirs = pty.openpty()
        environment = {**os.environ, "ROUTEIQ_MASTER_KEY": key, "TERM": "xterm-256color"}
        environment |= {"COLUMNS": "140", "LINES": "40"}
        process = await asyncio.create_subprocess_exec(
            *(*COMMAND, "--url", url, "--interval", "0.2"),
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        terminal = cls(ours, process)
        try:
            yield terminal
        finally:
            asyncio.get_running_loop().remove_reader(ours)
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            os.close(ours)

    def _read(self) -> None:
        try:
            self._stream.feed(os.read(self._ours, 65536))
        except OSError:  # the other side is closed
            asyncio.get_running_loop().remove_reader(self._ours)
        self._drawn.set()

    @property
    def text(self) -> str:
        """What stands on the screen."""
        return "\n".join(self._screen.display)

    async def shows(self, text: str) -> None:
        """Wait until it stands there."""
        async with asyncio.timeout(30):
            while text not in self.text:
                self._drawn.clear()
                await self._drawn.wait()

    def press(self, keys: bytes) -> None:
        """As the operator does."""
        os.write(self._ours, keys)

    async def ended(self) -> int:
        """Wait for the end; the exit code."""
        return await asyncio.wait_for(self.process.wait(), 20)


async def test_it_draws_in_a_terminal_and_ends_with_q(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    scripted_upstream.default = Reply.stream("hello")
    running = await gateway({"model_list": [openai_row("my-model", scripted_upstream.base_url)]})
    await running.stream("my-model")
    async with Terminal.of(running.url) as terminal:
        await terminal.shows("my-model")
        await running.chat("unknown")
        await terminal.shows("route 1")
        assert "1 worker" in terminal.text
        terminal.press(b"xyq")
        assert await terminal.ended() == 0


@asynccontextmanager
async def served(path: Path, port: int = 0) -> AsyncIterator[str]:
    """A gateway in a process of its own; its address."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "routeiq", "serve", "--config", str(path), "--port", str(port), "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            while "listening" not in (line := await process.stdout.readline()).decode():
                assert line, "it ended"
        yield json.loads(line)["listening"]
    finally:
        process.terminate()
        await process.communicate()


async def test_a_gateway_that_goes_away_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "routeiq.yaml"
    path.write_text(f"model_list: []\ngeneral_settings: {{master_key: {KEY}}}\nrouteiq: {{profile: minimal}}\n")
    async with AsyncExitStack() as first:
        url = await first.enter_async_context(served(path))
        async with Terminal.of(url) as terminal:
            await terminal.shows("no request in the last minute")
            await first.aclose()
            await terminal.shows("no gateway answers")
            async with served(path, urlsplit(url).port or 0):
                await terminal.shows("no request in the last minute")
                terminal.press(b"q")
                assert await terminal.ended() == 0


async def test_a_key_that_is_refused_ends_it_and_the_terminal_is_as_before(gateway: StartGateway) -> None:
    running = await gateway({"model_list": []})
    async with Terminal.of(running.url, "sk-wrong-wrong-wrong-wrong") as terminal:
        assert await terminal.ended() == 1
        await terminal.shows("does not accept this key (401)")
        assert KEY not in terminal.text


TOLD: dict[str, Any] = {
    "version": "1", "config": "c", "uptime_seconds": 4000, "workers": 2, "requests_per_second": 0.0,
    "errors_per_second": 0.0, "tokens_per_second": 0.0, "cost_usd_per_hour": 0.0,
    "first_token_ms": {"p50": None, "p95": None}, "latency_ms": {"p50": None, "p95": None}, "by_second": [0] * 60,
    "models": {}, "strategies": {}, "refused": {}, "benched": {"abc": 3.0}, "in_flight": 0, "shed": 0,
    "events_lost": 0, "records_lost": 0, "hook_errors": {"audit.record": 3}, "unwell": ["audit: the disk is full"],
    "state": {"store": "memory", "status": "ok"},
}  # fmt: skip


def drawn(**changes: Any) -> str:
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(screen({**TOLD, **changes}, "http://127.0.0.1:4000"))
    return console.export_text()


def test_an_idle_gateway_is_drawn_too() -> None:
    text = drawn()
    for told in ("no request in the last minute", "up 1 h 6 m", "abc 3 s", "audit.record 3", "the disk is full"):
        assert told in text


def test_tools_are_drawn_where_some_are_called() -> None:
    assert "tools of" not in drawn()
    server = {"calls_per_second": 2.5, "errors": 3, "refused": 4, "duration_ms": {"p50": 12.0, "p95": None}}
    text = drawn(tools=dict.fromkeys(("wiki", "\x1b[2Jgone", *(f"s{number}" for number in range(8))), server))
    (line,) = [line.split() for line in text.splitlines() if line.startswith("wiki")]
    assert line == ["wiki", "2.5", "3", "4", "12", "ms", "-"]
    assert "\x1b" not in text
    assert "and 2 more" in text


def test_names_that_clients_made_up_are_shown_as_they_are() -> None:
    model = {"requests_per_second": 1.0, "share": 0.5, "errors": 0, "attempts": 1, "cost_usd_per_hour": 0.0}
    model["first_token_ms"] = {"p50": 1.0, "p95": None}
    names = ("[/red]x", "\x1b[2Jgone", *(f"m{number}" for number in range(30)))
    text = drawn(models=dict.fromkeys(names, model))
    assert "[/red]x" in text
    assert "\x1b" not in text
    assert "?[2Jgone" in text
    assert "and 17 more" in text
