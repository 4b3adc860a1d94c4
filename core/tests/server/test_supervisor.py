"""What the supervisor promises about its workers: respawn, giving up, reload, and that none outlives it."""

from __future__ import annotations

import asyncio
import json
import os
import signal

import pytest
from processes import ServerProcess, exchange, get, server

DEADLINE = 15.0


async def told_by_worker(port: int, path: str = "/plain") -> dict[str, int]:
    answer = await exchange(port, get(path))
    told: dict[str, int] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return told


async def pids(running: ServerProcess, workers: int) -> set[int]:
    """Ask until every worker has answered once."""
    seen: set[int] = set()
    async with asyncio.timeout(DEADLINE):
        while len(seen) < workers:
            seen.add((await told_by_worker(running.port))["pid"])
    return seen


async def test_a_killed_worker_is_replaced_while_the_other_serves() -> None:
    async with server(workers=2) as running:
        await running.line("2 workers")
        before = await pids(running, 2)
        os.kill(min(before), signal.SIGKILL)
        async with asyncio.timeout(DEADLINE):
            while True:
                try:
                    pid = (await told_by_worker(running.port))["pid"]
                except (ConnectionError, ValueError):
                    continue  # a connection that the dead worker had already taken
                if pid not in before:
                    break
        running.terminate()
        assert await running.exit_code() == 0


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_bad_configuration_stops_all_with_its_own_words_and_code_78(workers: int) -> None:
    async with server("bad_config", workers=workers) as running:
        assert await running.exit_code() == 78
        complaints = [line for line in running.lines if line.startswith("error: ")]
        assert complaints == ["error: some.yaml:3: model_list is empty Mend: name a model"]


@pytest.mark.parametrize("engine", ["hypercorn", "uvicorn", "granian"])
async def test_an_application_that_fails_at_start_is_never_served(engine: str) -> None:
    async with server("fails_in_lifespan", engine=engine) as running:
        assert await running.exit_code() == 78
        assert "error: the price book cannot be read Mend: mend it" in running.lines
        assert not any("listening" in line for line in running.lines)


async def test_a_worker_that_dies_at_start_three_times_is_given_up() -> None:
    async with server("dies", workers=2) as running:
        assert await running.exit_code() == 1
        assert any("died at start 3 times in a row" in line for line in running.lines)
        assert 3 <= running.lines.count("one more life") <= 6


@pytest.mark.parametrize("workers", [1, 2])
async def test_sighup_reloads_every_worker_and_ends_none(workers: int) -> None:
    async with server(workers=workers) as running:
        await running.line("listening on")
        before = await pids(running, workers)
        running.process.send_signal(signal.SIGHUP)
        reloaded: set[int] = set()
        async with asyncio.timeout(DEADLINE):
            while reloaded != before:
                told = await told_by_worker(running.port)
                assert told["pid"] in before
                if told["reloads"]:
                    reloaded.add(told["pid"])


async def test_workers_do_not_outlive_a_supervisor_that_was_killed() -> None:
    async with server(workers=2) as running:
        await running.line("2 workers")
        running.process.kill()
        # The workers hold the other end of this pipe: it ends when the last of them has.
        assert await running.exit_code() == -signal.SIGKILL
        assert running.lines.count("application stopped") == 2


async def test_a_taken_port_is_said_with_its_mend() -> None:
    async with server() as first:
        await first.line("listening on")
        async with server(port=first.port) as second:
            assert await second.exit_code() == 78
            assert "choose another routeiq.server.port" in second.lines[0]


@pytest.mark.parametrize("engine", ["uvicorn", "granian"])
async def test_an_engine_with_holes_does_not_face_a_network_alone(engine: str) -> None:
    async with server(engine=engine, host="0.0.0.0") as running:
        assert await running.exit_code() == 78
        assert "routeiq.server.behind_proxy: true" in running.lines[0]


@pytest.mark.parametrize(("engine", "behind_proxy"), [("hypercorn", False), ("uvicorn", True), ("granian", True)])
async def test_a_safe_engine_or_one_behind_a_proxy_listens_anywhere(engine: str, behind_proxy: bool) -> None:
    async with server(engine=engine, host="0.0.0.0", behind_proxy=behind_proxy) as running:
        await running.line("listening on http://0.0.0.0:")
