"""All kinds of sinks behind one gateway, going away and coming back while requests run: each gets everything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from routeiq_audit.packing import unpack
from routeiq_audit.verifying import verify
from routeiq_testkit import RecordedRequest, Reply, ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.pytest_plugin import StartGateway
from routeiq_testkit.replies import BaseReply
from routeiq_testkit.servers import KafkaCluster, S3Server

from .test_kafka_sink import IMPATIENT, TOPIC, read
from .test_s3_server import BUCKET, bucket, download

SECONDS = 90.0
PATIENT = {**IMPATIENT, "delivery.timeout.ms": 4000}


class Receiver(ScriptedUpstream):
    """A webhook that can be told to be away. `posts` holds what it took, by the key of the post."""

    def __init__(self) -> None:
        super().__init__(default=Reply.json({}))
        self.away = False
        self.posts: dict[str, Any] = {}

    def answer(self, request: RecordedRequest) -> BaseReply:
        if self.away:
            return Reply.error(503)
        self.posts[request.headers["idempotency-key"]] = request.json
        return super().answer(request)

    def events(self) -> list[Any]:
        """The events of all posts."""
        return [event for post in self.posts.values() for event in post]


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not done():
            await asyncio.sleep(0.05)


class Callers:
    """Some who ask without pause, and the ids of what was answered."""

    def __init__(self, gateway: TestGateway) -> None:
        self._gateway = gateway
        self._stop = asyncio.Event()
        self.answered: set[str] = set()

    async def __aenter__(self) -> Callers:
        self._tasks = [asyncio.create_task(self._ask()) for _ in range(3)]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._stop.set()
        await asyncio.gather(*self._tasks)

    async def more(self, count: int = 30) -> None:
        """Until so many more were answered."""
        wanted = len(self.answered) + count
        await until(lambda: len(self.answered) >= wanted)

    async def _ask(self) -> None:
        while not self._stop.is_set():
            status, headers, _ = await self._gateway.chat("m")
            assert status == 200, "no sink that is away holds up a request"
            self.answered.add(headers["x-routeiq-request-id"])
            await asyncio.sleep(0.02)


async def degraded(gateway: TestGateway, sink: str) -> None:
    """Wait until readiness tells that this sink takes nothing."""
    async with asyncio.timeout(SECONDS):
        while True:
            async with gateway.session.get("/health/readiness") as answer:
                assert answer.status == 200
                if sink in str(await answer.json()):
                    return
            await asyncio.sleep(0.05)


def ids(lines: list[Any]) -> set[str]:
    return {line["event"]["request_id"] for line in lines}


def lines(folder: Path) -> list[Any]:
    bodies = [path.read_bytes() for path in folder.rglob("*.jsonl.zst")]
    return [orjson.loads(line) for body in bodies for line in unpack(body).splitlines()]


@pytest.fixture
async def receiver() -> Any:
    async with Receiver() as server:
        yield server


async def test_sinks_that_stop_and_start_while_requests_run_get_everything_once(
    tmp_path: Path,
    gateway: StartGateway,
    scripted_upstream: ScriptedUpstream,
    s3_server: S3Server,
    kafka_cluster: KafkaCluster,
    receiver: Receiver,
) -> None:
    client = bucket(s3_server)
    keys = {"access_key_id": "AKIATEST", "secret_access_key": "test-secret"}
    lock = {"mode": "GOVERNANCE", "days": 1}
    sinks = [
        {"kind": "file", "path": str(tmp_path / "audit")},
        {"kind": "s3", "bucket": BUCKET, "endpoint_url": s3_server.url, "object_lock": lock, **keys},
        {"kind": "kafka", "bootstrap": kafka_cluster.bootstrap, "topic": TOPIC, "config": PATIENT},
        {"kind": "webhook", "url": f"{receiver.origin}/in", "format": "raw"},
    ]
    audit = {"spool": str(tmp_path / "spool"), "sinks": sinks, "seal": {"seconds": 0.2}}
    model = openai_row("m", scripted_upstream.base_url)
    running = await gateway({"model_list": [model], "routeiq": {"plugins": {"audit": audit}}})
    async with Callers(running) as callers:
        await callers.more()
        s3_server.pause()
        await callers.more()
        kafka_cluster.down()
        receiver.away = True
        await degraded(running, "kafka:")
        await degraded(running, "webhook:")
        await callers.more()
        s3_server.resume()
        kafka_cluster.up()
        receiver.away = False
        await callers.more()
    await running.recorded(len(callers.answered))
    await until(lambda: callers.answered <= ids(lines(tmp_path / "audit")))
    await until(lambda: not any((tmp_path / "spool").glob("outbox-*/*/facts.json")))

    names = await asyncio.to_thread(download, client, tmp_path / "copy")
    assert len(names) == len(set(names)), "no object has two versions"
    for folder in (tmp_path / "audit", tmp_path / "copy"):
        assert verify(folder).ok
        assert callers.answered <= ids(lines(folder))
    messages = await read(kafka_cluster, len(callers.answered))
    written = {headers["id"]: orjson.loads(value) for headers, value in messages if headers["kind"] == b"event"}
    assert callers.answered <= ids(list(written.values()))
    posted = receiver.events()
    assert callers.answered <= ids(posted)
    numbers = sorted(line["seq"] for line in lines(tmp_path / "audit"))
    assert numbers == sorted(line["seq"] for line in written.values()), "nothing but the events, each"
    assert numbers == sorted(line["seq"] for line in posted)
