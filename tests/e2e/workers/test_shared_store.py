"""What two workers share without a line of configuration, over real HTTP and real processes."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path

import aiohttp

from .conftest import DEADLINE, KEY, StartWorkers


async def test_two_workers_share_limits_leases_and_messages(workers: StartWorkers, tmp_path: Path) -> None:
    async with workers() as gateway:
        await gateway.listening()
        granted: Counter[int] = Counter()
        refused: Counter[int] = Counter()
        asked = 0
        async with asyncio.timeout(DEADLINE):
            while len(granted) < 2 or len(refused) < 2:  # the kernel chooses the worker of each connection
                batch = await asyncio.gather(*(gateway.surely("take", f"h{asked + n}") for n in range(20)))
                asked += len(batch)
                for worker, value in batch:
                    (granted if value else refused)[worker] += 1
        assert granted.total() == 40

        leases = await gateway.ask_all("lease", "leader")
        assert sorted(leases.values()) == [False, True]

        async with asyncio.timeout(DEADLINE):
            while set((await gateway.ask_all("heard", "listens")).values()) != {True}:
                await asyncio.sleep(0.05)
        await gateway.surely("tell", "hello")
        async with asyncio.timeout(DEADLINE):
            while [set(heard) for heard in (await gateway.ask_all("heard", "all")).values()] != [{"hello"}] * 2:
                await asyncio.sleep(0.05)
        assert (tmp_path / "data" / "state.sqlite3").exists()


async def test_the_start_and_the_status_say_which_store_and_why(workers: StartWorkers) -> None:
    async with workers() as gateway:
        await gateway.listening()
        async with (
            aiohttp.ClientSession(gateway.url, headers={"authorization": f"Bearer {KEY}"}) as session,
            session.get("/routeiq/v1/status") as response,
        ):
            status = await response.json()
        assert status["workers"] == 2
        assert status["state"] == {
            "store": "sqlite",
            "why": "2 workers, and no key names a store",
            "status": "ok",
            "reason": "",
        }
        gateway.process.terminate()
        assert await gateway.ended() == 0
    logged = [json.loads(line) for line in gateway.lines if line.startswith("{")]
    told = [line for line in logged if line["event"] == "state store"]
    assert [line["store"] for line in told] == ["sqlite"] * 2


async def test_memory_that_two_workers_cannot_share_is_refused_at_the_start(workers: StartWorkers) -> None:
    async with workers(state={"url": "memory://"}) as gateway:
        assert await gateway.ended() == 78
    assert "routeiq.state.url is memory://, which 2 workers cannot share" in "\n".join(gateway.lines)


async def test_a_store_that_is_away_stops_the_start_and_says_so(workers: StartWorkers) -> None:
    url = "postgresql://me:hunter2secret@127.0.0.1:1/db"
    async with workers(state={"url": url}, server={"workers": 1}) as gateway:
        assert await gateway.ended() == 1
    said = "\n".join(gateway.lines)
    assert "the state store (postgresql) cannot be reached: ConnectionRefusedError" in said
    assert "hunter2secret" not in said


async def test_any_worker_finds_any_decision_and_tells_the_last_minute_of_all(workers: StartWorkers) -> None:
    async with workers() as gateway:
        await gateway.listening()
        headers = {"authorization": f"Bearer {KEY}", "connection": "close"}
        body = {"model": "fast", "messages": [{"role": "user", "content": "hello"}]}
        ids: list[str] = []
        async with aiohttp.ClientSession(gateway.url, headers=headers) as session:
            for _ in range(12):
                async with session.post("/v1/chat/completions", json=body) as answer:
                    assert answer.status == 200
                    ids.append(answer.headers["x-routeiq-request-id"])

            async def told(path: str) -> tuple[int, dict]:
                async with session.get(path) as answer:
                    return answer.status, await answer.json()

            async with asyncio.timeout(DEADLINE):
                for wanted in ids * 3:  # whichever worker is asked, also one that has not begun to listen yet
                    while (found := await told(f"/routeiq/v1/decisions/{wanted}"))[0] != 200:
                        await asyncio.sleep(0.1)
                    assert found[1]["request_id"] == wanted
                for _ in range(6):
                    while len((page := await told("/routeiq/v1/decisions?limit=100"))[1]["data"]) < len(ids):
                        await asyncio.sleep(0.1)
                    assert {row["request_id"] for row in page[1]["data"]} == set(ids)
                    live = (await told("/routeiq/v1/live"))[1]
                    assert live["workers"] == 2
                    assert sum(live["by_second"]) == len(ids)
