"""The webhook sink against a recorder over real HTTP: what is posted, how it is signed, what becomes of answers."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import orjson
import pytest

from routeiq_audit.config import WebhookSink as WebhookConfig
from routeiq_audit.sealed import Sealed
from routeiq_audit.sinks.base import SinkRefused, SinkUnavailable
from routeiq_audit.sinks.webhook import WebhookSink
from routeiq_sdk import Secret
from routeiq_testkit import Reply, ScriptedUpstream

from .sink_parts import CREATED, calling, sealed_events, sealed_objects

PATH = "/services/T-path-secret?token=t-secret"
OK = Reply.json({"text": "Success", "code": 0})


@pytest.fixture
async def receiver() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream(default=OK) as server:
        yield server


@asynccontextmanager
async def opened(receiver: ScriptedUpstream, **config: Any) -> AsyncIterator[WebhookSink]:
    url = receiver.origin + PATH
    async with calling(url) as gateway:
        sink = WebhookSink(WebhookConfig.model_validate({"url": url, **config}))
        await sink.open(gateway)
        yield sink
        await sink.close()


def posted(receiver: ScriptedUpstream) -> list[list[int]]:
    """The numbers of the events of each raw post."""
    return [[event["seq"] for event in request.json] for request in receiver.requests]


def lines(sealed: Sealed) -> list[Any]:
    return [orjson.loads(line) for line in sealed.lines()]


async def test_raw_posts_the_lines_of_the_chain(receiver: ScriptedUpstream) -> None:
    (sealed,) = sealed_objects(1)
    async with opened(receiver, format="raw", headers={"Authorization": "Bearer x"}) as sink:
        await sink.ship(sealed)
    (request,) = receiver.requests
    assert (request.method, request.target, request.headers["authorization"]) == ("POST", PATH, "Bearer x")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-routeiq-object"] == sealed.name
    assert request.json == lines(sealed)


async def test_ocsf_posts_events_of_the_schema(receiver: ScriptedUpstream) -> None:
    (sealed,) = sealed_objects(1)
    async with opened(receiver) as sink:
        await sink.ship(sealed)
    events = receiver.requests[0].json
    assert {event["class_uid"] for event in events} == {6003}
    assert [event["unmapped"]["hash"] for event in events] == [line["hash"] for line in lines(sealed)]


async def test_splunk_gets_one_object_a_line(receiver: ScriptedUpstream) -> None:
    (sealed,) = sealed_objects(1)
    async with opened(receiver, format="splunk_hec") as sink:
        await sink.ship(sealed)
    rows = [orjson.loads(row) for row in receiver.requests[0].body.splitlines()]
    assert [row["event"] for row in rows] == lines(sealed)
    assert {row["sourcetype"] for row in rows} == {"routeiq:request"}
    assert {row["time"] for row in rows} == {datetime.fromisoformat(CREATED).timestamp()}


async def test_a_secret_signs_the_body_and_the_time(receiver: ScriptedUpstream) -> None:
    (sealed,) = sealed_objects(1)
    async with opened(receiver, secret="whsec") as sink:
        await sink.ship(sealed)
    (request,) = receiver.requests
    seconds, signature = (part.partition("=")[2] for part in request.headers["x-routeiq-signature"].split(","))
    assert signature == hmac.new(b"whsec", seconds.encode() + b"." + request.body, hashlib.sha256).hexdigest()
    assert abs(int(seconds) - datetime.now().timestamp()) < 60


async def test_without_a_secret_nothing_claims_to_be_signed(receiver: ScriptedUpstream) -> None:
    (sealed,) = sealed_objects(1)
    async with opened(receiver) as sink:
        await sink.ship(sealed)
    assert "x-routeiq-signature" not in receiver.requests[0].headers


async def test_many_events_are_several_posts_with_keys_of_their_own(receiver: ScriptedUpstream) -> None:
    first, second = sealed_objects(2, events=1100)
    async with opened(receiver, format="raw") as sink:
        await sink.ship(first)
        await sink.ship(second)
    assert [len(numbers) for numbers in posted(receiver)] == [500, 500, 100] * 2
    assert [number for numbers in posted(receiver) for number in numbers] == list(range(1, 2201))
    keys = [request.headers["idempotency-key"] for request in receiver.requests]
    assert len(set(keys)) == 6
    async with opened(receiver, format="raw") as sink:  # as after a restart
        await sink.ship(first)
    assert [request.headers["idempotency-key"] for request in receiver.requests[6:]] == keys[:3]


async def test_posts_are_bounded_in_bytes_too(receiver: ScriptedUpstream) -> None:
    sealed = sealed_events(*["x" * 200_000] * 6, "y" * 900_000, "small")
    async with opened(receiver, format="raw") as sink:
        await sink.ship(sealed)
    assert posted(receiver) == [[1, 2], [3, 4], [5, 6], [7], [8]]


@pytest.mark.parametrize("failure", [Reply.error(503), Reply.cut(after_bytes=0), Reply.error(413)])
async def test_after_a_failure_it_goes_on_where_it_was(receiver: ScriptedUpstream, failure: Reply) -> None:
    (sealed,) = sealed_objects(1, events=1100)
    receiver.script(OK, failure)
    async with opened(receiver, format="raw") as sink:
        with pytest.raises((SinkUnavailable, SinkRefused)):
            await sink.ship(sealed)
        await sink.ship(sealed)
        await sink.ship(sealed_objects(1)[0])
    starts = [numbers[0] for numbers in posted(receiver)]
    assert starts == [1, 501, 501, 1001, 1]
    keys = [request.headers["idempotency-key"] for request in receiver.requests]
    assert keys[1] == keys[2]


@pytest.mark.parametrize(
    ("answer", "error", "after"),
    [
        (Reply.rate_limited(7), SinkUnavailable, 7.0),
        (Reply.rate_limited(90_000), SinkUnavailable, 300.0),
        (Reply.rate_limited("soon"), SinkUnavailable, None),
        (Reply.error(500), SinkUnavailable, None),
        (Reply.html(502), SinkUnavailable, None),
        (Reply.error(400), SinkRefused, None),
        (Reply.error(401), SinkRefused, None),
        (Reply.error(404), SinkRefused, None),
        (Reply.redirect("http://127.0.0.1:9/elsewhere"), SinkRefused, None),
    ],
)
async def test_answers_are_told_apart(
    receiver: ScriptedUpstream, answer: Reply, error: type[Exception], after: float | None
) -> None:
    (sealed,) = sealed_objects(1)
    receiver.script(answer)
    async with opened(receiver, headers={"authorization": "Splunk t-header-secret"}) as sink:
        with pytest.raises(
            error, match=r"webhook:http://127\.0\.0\.1:\d+#[0-9a-f]{8} answered \d{3} to a post of"
        ) as told:
            await sink.ship(sealed)
    assert getattr(told.value, "retry_after", None) == after
    assert not any(secret in str(told.value) for secret in ("t-secret", "T-path-secret", "t-header-secret"))


async def test_a_long_answer_is_not_read_to_its_end(receiver: ScriptedUpstream) -> None:
    (sealed,) = sealed_objects(1)
    receiver.script(Reply.huge(16))
    async with opened(receiver) as sink:
        await sink.ship(sealed)


async def test_nobody_there_is_unavailable() -> None:
    (sealed,) = sealed_objects(1)
    async with ScriptedUpstream() as receiver:
        pass
    async with opened(receiver) as sink:
        with pytest.raises(SinkUnavailable, match="cannot be reached") as told:
            await sink.ship(sealed)
    assert "t-secret" not in str(told.value)


def test_places_are_told_apart_and_secrets_do_not_show() -> None:
    urls = ["https://siem.example.com/a-secret", "https://siem.example.com/b-secret"]
    configs = [WebhookConfig(url=url, headers={"authorization": Secret("Bearer x")}) for url in urls]
    names = [WebhookSink(config).name for config in configs]
    assert len(set(names)) == 2
    assert not any("secret" in name for name in names)
    assert "Bearer x" not in repr(configs)
