"""The trail of a real gateway: what is written, when, and what happens when it cannot be."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from routeiq.state import segments
from routeiq_audit import trail_writer
from routeiq_audit.packing import unpack
from routeiq_audit.sinks.file import FileSink
from routeiq_sdk import Gateway, PluginError
from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.gateway import TestGateway, openai_row
from routeiq_testkit.pytest_plugin import StartGateway

SECONDS = 15.0


def config(folder: Path, upstream: ScriptedUpstream, **audit: Any) -> dict[str, Any]:
    block = {
        "spool": str(folder / "spool"),
        "sinks": [{"kind": "file", "path": str(folder / "audit")}],
        "seal": {"seconds": 0.2},
        **audit,
    }
    return {"model_list": [openai_row("m", upstream.base_url)], "routeiq": {"plugins": {"audit": block}}}


def lines(folder: Path) -> list[dict[str, Any]]:
    """Every line of the trail, in the order of its numbers."""
    found = [
        orjson.loads(line)
        for path in (folder / "audit").rglob("*.jsonl.zst")
        for line in unpack(path.read_bytes()).splitlines()
    ]
    return sorted(found, key=lambda line: line["seq"])


async def trail(folder: Path, count: int) -> list[dict[str, Any]]:
    """Wait until so many lines are in the sink."""
    async with asyncio.timeout(SECONDS):
        while len(found := lines(folder)) < count:
            await asyncio.sleep(0.05)
    return found


class FullDisk:
    """A disk that has no room while `full`: what the spool's fsync meets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        real = segments.write_at

        def write(descriptor: int, data: Any, offset: int) -> None:
            if self.full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(descriptor, data, offset)

        monkeypatch.setattr(segments, "write_at", write)


async def test_a_request_is_written_with_its_decision_attempts_and_cost(
    tmp_path: Path, gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    running = await gateway(config(tmp_path, scripted_upstream))
    _, headers, _ = await running.chat("m", "my secret plan")
    (line,) = await trail(tmp_path, 1)
    assert (line["class"], line["name"]) == ("request", "routeiq.router_decision.v2")
    event = line["event"]
    assert event["request_id"] == headers["x-routeiq-request-id"]
    assert (event["http_status"], event["principal"], event["attempts"][0]["kind"]) == (200, "master", "ok")
    assert "my secret plan" not in str(line)


async def test_a_change_is_on_disk_before_and_after_it_is_made(
    tmp_path: Path, gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    running = await gateway(config(tmp_path, scripted_upstream))
    async with running.session.post("/routeiq/v1/reload") as answer:
        assert answer.status == 200
    asked, done = await trail(tmp_path, 2)
    assert [line["event"]["phase"] for line in (asked, done)] == ["asked", "done"]
    assert {line["class"] for line in (asked, done)} == {"admin"}
    assert (done["event"]["action"], done["event"]["status"]) == ("gateway:reload", 200)


async def test_a_refused_caller_is_written_once(
    tmp_path: Path, gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    running = await gateway(config(tmp_path, scripted_upstream))
    wrong = {"authorization": "Bearer sk-nobody-0123456789abcdef"}
    async with running.session.post("/v1/chat/completions", json={}, headers=wrong) as answer:
        assert answer.status == 401
    async with running.session.get("/routeiq/v1/status", headers=wrong) as answer:
        assert answer.status == 401
    await running.chat("m")
    written = await trail(tmp_path, 3)
    assert [line["class"] for line in written].count("auth") == 2
    assert "sk-nobody-0123456789abcdef" not in str(written)


async def test_without_room_a_change_is_refused_and_the_gateway_lives(
    tmp_path: Path, gateway: StartGateway, scripted_upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(monkeypatch)
    running = await gateway(config(tmp_path, scripted_upstream))
    disk.full = True
    async with running.session.post("/routeiq/v1/reload") as answer:
        told = await answer.json()
        assert answer.status == 503, told
        assert told["error"]["type"] == "audit_unavailable"
        assert answer.headers["retry-after"] == "5"
    wrong = {"authorization": "Bearer sk-nobody-0123456789abcdef"}
    async with running.session.get("/routeiq/v1/status", headers=wrong) as answer:
        assert answer.status == 503, "a refusal that cannot be written down is refused all the same"
    disk.full = False
    async with running.session.post("/routeiq/v1/reload") as answer:
        assert answer.status == 200


async def test_a_closed_class_of_requests_calls_no_provider_without_the_disk(
    tmp_path: Path, gateway: StartGateway, scripted_upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(monkeypatch)
    running = await gateway(config(tmp_path, scripted_upstream, classes={"request": "closed"}))
    disk.full = True
    status, headers, told = await running.chat("m")
    assert (status, told["error"]["message"].count("Audit events cannot be written")) == (503, 1)
    assert scripted_upstream.requests == []
    disk.full = False
    status, headers, _ = await running.chat("m")
    assert status == 200
    written = await trail(tmp_path, 3)
    mine = [line for line in written if line["event"]["request_id"] == headers["x-routeiq-request-id"]]
    assert [line["name"] for line in mine] == ["routeiq.attempt_started.v1", "routeiq.router_decision.v2"]


async def test_a_buffered_class_refuses_while_the_disk_is_full_and_loses_nothing(
    tmp_path: Path, gateway: StartGateway, scripted_upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(monkeypatch)
    running = await gateway(config(tmp_path, scripted_upstream))
    disk.full = True
    status, accepted, _ = await running.chat("m")
    assert status == 200, "the first one cannot know"
    async with asyncio.timeout(SECONDS):
        while (status := (await running.chat("m"))[0]) != 503:
            await asyncio.sleep(0.05)
    async with running.session.get("/health/readiness") as answer:
        assert answer.status == 200
        assert "has no room" in str(await answer.json())
    disk.full = False
    async with asyncio.timeout(SECONDS):
        while (status := (await running.chat("m"))[0]) != 200:
            await asyncio.sleep(0.05)
    async with asyncio.timeout(SECONDS):
        while accepted["x-routeiq-request-id"] not in str(lines(tmp_path)):
            await asyncio.sleep(0.05)


async def test_drop_oldest_goes_on_and_says_how_many_it_dropped(
    tmp_path: Path, gateway: StartGateway, scripted_upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(monkeypatch)
    running = await gateway(config(tmp_path, scripted_upstream, on_full="drop_oldest"))
    disk.full = True
    early: set[str] = set()
    for _ in range(5):
        status, headers, _ = await running.chat("m")
        assert status == 200
        early.add(headers["x-routeiq-request-id"])
    await asyncio.sleep(0.3)
    disk.full = False
    lost: list[int] = []
    async with asyncio.timeout(SECONDS):
        while not lost:
            assert (await running.chat("m"))[0] == 200
            written = lines(tmp_path)
            lost = [line["event"]["dropped"] for line in written if line["name"] == "routeiq.audit_loss.v1"]
            await asyncio.sleep(0.1)
    kept = early & {line["event"].get("request_id") for line in written}
    assert sum(lost) == 5 - len(kept) > 0


async def test_off_writes_nothing_of_a_class(
    tmp_path: Path, gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    running = await gateway(config(tmp_path, scripted_upstream, classes={"request": "off", "guard": "off"}))
    await running.chat("m")
    async with running.session.post("/routeiq/v1/reload") as answer:
        assert answer.status == 200
    assert [line["class"] for line in await trail(tmp_path, 2)] == ["admin", "admin"]
    hooks = {call.hook for call in running.runtime.calls()}
    assert not hooks & {"record", "before_attempt"}, "a gate without work is not there"


async def test_tenants_are_kept_apart(
    tmp_path: Path, gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    running = await gateway(config(tmp_path, scripted_upstream, tenant_by="team"))
    await running.chat("m")
    await trail(tmp_path, 1)
    assert [path.name for path in (tmp_path / "audit" / "v1").iterdir()] == ["tenant=ALL"]


async def test_what_waits_at_a_stop_is_shipped(tmp_path: Path, scripted_upstream: ScriptedUpstream) -> None:
    scripted_upstream.default = Reply.chat("yes")
    async with TestGateway(tmp_path, config(tmp_path, scripted_upstream, seal={"seconds": 3000})) as running:
        await running.chat("m")
        await running.recorded()
    assert len(lines(tmp_path)) == 1


async def test_two_gateways_cannot_share_a_spool(
    tmp_path: Path, gateway: StartGateway, scripted_upstream: ScriptedUpstream
) -> None:
    await gateway(config(tmp_path, scripted_upstream))
    (tmp_path / "second").mkdir()
    with pytest.raises(Exception, match=r"the spool in .* cannot be opened"):
        async with TestGateway(tmp_path / "second", config(tmp_path, scripted_upstream)):
            pass


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({"sinks": []}, "sinks"),
        ({"sinks": [{"kind": "tape", "path": "x"}]}, "kind"),
        ({"sinks": [{"kind": "file"}]}, "path"),
        ({"sinks": [{"kind": "kafka", "bootstrap": "b:1", "topic": "t", "config": {"acks": "1"}}]}, "acks is all"),
        ({"classes": {"guard": "closed"}}, "told after the fact"),
        ({"sinks": [{"kind": "s3", "bucket": "bbb", "access_key_id": "AKIA"}]}, "come together"),
    ],
)
async def test_a_bad_configuration_is_told(
    tmp_path: Path, scripted_upstream: ScriptedUpstream, block: dict[str, Any], told: str
) -> None:
    with pytest.raises(Exception, match=told):
        async with TestGateway(tmp_path, config(tmp_path, scripted_upstream, **block)):
            pass


async def test_a_sink_that_cannot_be_opened_leaves_none_open(
    tmp_path: Path, scripted_upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    class Noting(FileSink):
        async def open(self, gateway: Gateway) -> None:
            if self.folder.name == "second":
                raise PluginError("audit", "the second cannot be opened")
            told.append(f"{self.folder.name} opened")

        async def close(self) -> None:
            told.append(f"{self.folder.name} closed")

    monkeypatch.setattr(trail_writer, "sink_of", lambda sink: Noting(Path(sink.path)))
    sinks = [{"kind": "file", "path": str(tmp_path / name)} for name in ("first", "second")]
    with pytest.raises(Exception, match="the second cannot be opened"):
        async with TestGateway(tmp_path, config(tmp_path, scripted_upstream, sinks=sinks)):
            pass
    assert told == ["first opened", "first closed"]
