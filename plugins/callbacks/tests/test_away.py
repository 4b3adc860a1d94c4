"""A target that is away harms nobody: not requests, not other targets; what is lost is counted and told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import structlog

from routeiq_callbacks import telling as module
from routeiq_callbacks.config import WebhookTarget
from routeiq_callbacks.finished import Finished, Texts
from routeiq_callbacks.payload import Shape
from routeiq_callbacks.targets.base import NotTaken
from routeiq_callbacks.targets.webhook import Webhook
from routeiq_callbacks.telling import Telling
from routeiq_sdk import Gateway
from routeiq_sdk.messages import MessageLogging, Messages
from routeiq_sdk.testing import FakeGateway, make_context
from routeiq_sdk.testing.fakes import make_record
from routeiq_testkit.gateway import TestGateway
from routeiq_testkit.pytest_plugin import StartGateway

from .recorder import Recorder
from .requests import finished


class Scripted:
    """A target that answers as it is told."""

    name = "scripted"
    origins: tuple[str, ...] = ()

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.told: list[str] = []
        self.done = asyncio.Event()

    async def open(self) -> None: ...

    async def deliver(self, gateway: Gateway, batch: Any) -> int:
        answer = self.answers.pop(0) if self.answers else 0
        if isinstance(answer, Exception):
            raise answer
        self.told += [each.record.request_id for each in batch]
        self.done.set()
        return answer


async def told(target: Scripted, *requests: Finished, most: int = 100) -> Telling:
    telling = Telling(target, "all", most)
    telling.open(FakeGateway())
    for request in requests:
        telling.put(request)
    async with asyncio.timeout(10):
        await target.done.wait()
    await telling.close(1.0)
    return telling


async def test_a_target_that_is_away_holds_up_no_other_and_gets_its_due_later(
    gateway: StartGateway, telling: Any, recorder: Recorder, other_recorder: Recorder
) -> None:
    recorder.status = 503
    targets = [{"kind": "webhook", "url": f"{each.url}/secret-path"} for each in (recorder, other_recorder)]
    running = await gateway(telling(*targets))
    status, _, _ = await running.chat("m")
    assert status == 200
    await other_recorder.until(1)
    await recorder.until(1)
    async with running.session.get("/health/readiness") as answer:
        health = str(await answer.json())
    assert f"webhook:{recorder.url}: {recorder.url} answered 503" in health
    assert "secret-path" not in health
    recorder.status = 200
    await recorder.until(len(recorder.sent) + 1)
    assert recorder.sent[-1].json()[0]["status"] == "success"
    async with asyncio.timeout(10):
        while "degraded" in health:
            async with running.session.get("/health/readiness") as answer:
                health = str(await answer.json())


async def test_what_waits_at_a_stop_is_told(telling: Any, recorder: Recorder, tmp_path: Path) -> None:
    async with TestGateway(tmp_path, telling({"kind": "webhook", "url": recorder.url})) as running:
        await running.chat("m")
        await running.recorded()
    assert len(recorder.sent) == 1


async def test_a_stop_does_not_wait_for_a_target_that_is_away() -> None:
    gateway = FakeGateway()
    gateway.egress.hang()
    telling = Telling(Webhook(WebhookTarget(url="https://logs.example.com")), "all", 100)
    telling.open(gateway)
    for number in range(3):
        telling.put(finished(request_id=f"req-{number}"))
    with structlog.testing.capture_logs() as logs:
        await telling.close(0.05)
    assert telling.lost == 3
    assert [(each["event"], each["lost"]) for each in logs] == [("a target does not take all requests", 3)]
    await gateway.aclose()


async def test_a_failure_is_tried_again_and_then_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE_SECONDS", 0.001)
    target = Scripted(NotTaken("scripted answered 503", 503), ConnectionError("https://h/secret"), 0)
    with structlog.testing.capture_logs() as logs:
        telling = await told(target, finished(request_id="req-1"))
    assert (target.told, telling.lost, telling.problem) == (["req-1"], 0, "")
    assert [each["event"] for each in logs] == ["a target does not take all requests", "a target takes requests again"]
    assert "secret" not in str(logs)


async def test_what_is_refused_for_good_is_counted_and_told() -> None:
    telling = await told(Scripted(1), finished(request_id="req-1"), finished(request_id="req-2"))
    assert telling.lost == 1
    assert telling.problem == "scripted: refused 1 of 2 requests for good"


async def test_when_too_many_wait_the_oldest_go_and_are_told_of_once_a_minute() -> None:
    target = Scripted()
    with structlog.testing.capture_logs() as logs:
        telling = await told(target, *(finished(request_id=f"req-{number}") for number in range(30)), most=10)
    assert target.told == [f"req-{number}" for number in range(20, 30)]
    assert telling.lost == 20
    assert [each["lost"] for each in logs] == [20]


async def test_a_request_whose_payload_cannot_be_made_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = finished(request_id="req-1")
    monkeypatch.setattr(broken, "_shape", None)
    target = Scripted()
    telling = await told(target, broken, finished(request_id="req-2"))
    assert (target.told, telling.lost) == (["req-2"], 1)


async def test_a_queue_holds_no_request_body_where_no_text_may_be_told() -> None:
    assert finished()._context is None
    assert finished(mode="full")._context is not None
    kept = finished(mode="full")
    assert kept.spelled
    assert kept._context is None


async def test_what_a_client_sends_is_kept_up_to_a_bound() -> None:
    long = "x" * 1_000_000
    headers = {"user-agent": long, "langfuse_trace_name": long, "langfuse_other": long}
    metadata = {"session_id": long, "note": long, "trace_id": 7}
    ctx = make_context(headers=headers, metadata=metadata, temperature=0.5, service_tier=long, seed=[long])
    told = finished(ctx, requested_model=long, model=None)
    assert told.wishes == {"session_id": "x" * 200, "trace_name": "x" * 200}
    assert (told.parameters, told.metadata) == ({"temperature": 0.5}, None)
    assert len(told.spelled) < 10_000


async def test_text_that_waits_is_bounded_and_given_back() -> None:
    messages = Messages(MessageLogging(mode="full"))
    texts, shape = Texts(messages, 10_000), Shape(messages, redact_callers=False, excluded=frozenset())
    ctx = make_context("secret", headers={"content-length": "2000"})
    waiting = [Finished(ctx, make_record(), shape, texts) for _ in range(3)]
    assert [each.payload["messages"] is not None for each in waiting] == [True, False, False]
    assert (texts.left_out, texts.waiting) == (2, 6000)
    waiting.clear()
    assert texts.waiting == 0
