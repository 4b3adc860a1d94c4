"""The webhook sink: what is posted, how it is signed, and what becomes of answers."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import orjson
import pytest

from routeiq_audit.config import WebhookSink as WebhookConfig
from routeiq_audit.sinks.base import SinkRefused, SinkUnavailable
from routeiq_audit.sinks.webhook import WebhookSink
from routeiq_sdk import Secret
from routeiq_sdk.testing import FakeGateway
from routeiq_sdk.testing.services import FakeAnswer

from .sink_parts import sealed_objects

URL = "https://siem.example.com/in?token=t-secret"


async def opened(gateway: FakeGateway, **config: Any) -> WebhookSink:
    sink = WebhookSink(WebhookConfig(url=URL, **config))
    await sink.open(gateway)
    return sink


async def test_raw_posts_the_lines_of_the_chain() -> None:
    gateway, (sealed,) = FakeGateway(), sealed_objects(1)
    sink = await opened(gateway, format="raw", headers={"authorization": Secret("Bearer x")})
    await sink.ship(sealed)
    (call,) = gateway.egress.calls
    assert (call.method, call.url, call.headers["authorization"]) == ("POST", URL, "Bearer x")
    assert orjson.loads(call.body or b"") == [orjson.loads(line) for line in sealed.lines()]
    assert "t-secret" not in sink.name


async def test_ocsf_posts_events_of_the_schema() -> None:
    gateway, (sealed,) = FakeGateway(), sealed_objects(1)
    await (await opened(gateway)).ship(sealed)
    events = orjson.loads(gateway.egress.calls[0].body or b"")
    assert {event["class_uid"] for event in events} == {6003}
    assert all(event["metadata"] for event in events)


async def test_splunk_gets_one_object_a_line() -> None:
    gateway, (sealed,) = FakeGateway(), sealed_objects(1)
    await (await opened(gateway, format="splunk_hec")).ship(sealed)
    rows = [orjson.loads(row) for row in (gateway.egress.calls[0].body or b"").splitlines()]
    assert [row["event"]["seq"] for row in rows] == [1, 2, 3]
    assert rows[0]["sourcetype"] == "routeiq:request"
    assert rows[0]["time"] == 1767323045.0


async def test_a_secret_signs_the_body_and_the_time() -> None:
    gateway, (sealed,) = FakeGateway(), sealed_objects(1)
    await (await opened(gateway, secret=Secret("whsec"))).ship(sealed)
    (call,) = gateway.egress.calls
    seconds, signature = (part.partition("=")[2] for part in call.headers["x-routeiq-signature"].split(","))
    wanted = hmac.new(b"whsec", seconds.encode() + b"." + (call.body or b""), hashlib.sha256).hexdigest()
    assert signature == wanted
    assert int(seconds) == gateway.clock.now_ns() // 10**9


async def test_many_events_are_several_posts_with_keys_of_their_own() -> None:
    gateway, (sealed,) = FakeGateway(), sealed_objects(1, events=1100)
    sink = await opened(gateway, format="raw")
    await sink.ship(sealed)
    keys = [call.headers["idempotency-key"] for call in gateway.egress.calls]
    assert [len(orjson.loads(call.body or b"")) for call in gateway.egress.calls] == [500, 500, 100]
    await sink.ship(sealed)
    assert [call.headers["idempotency-key"] for call in gateway.egress.calls[3:]] == keys


@pytest.mark.parametrize(
    ("status", "headers", "error", "after"),
    [
        (503, {"retry-after": "7"}, SinkUnavailable, 7.0),
        (429, {"retry-after": "soon"}, SinkUnavailable, None),
        (500, {}, SinkUnavailable, None),
        (400, {}, SinkRefused, None),
        (401, {}, SinkRefused, None),
    ],
)
async def test_answers_are_told_apart(
    status: int, headers: dict[str, str], error: type[Exception], after: float | None
) -> None:
    gateway, (sealed,) = FakeGateway(), sealed_objects(1)
    gateway.egress.answer(FakeAnswer(status, b"", headers))
    sink = await opened(gateway)
    with pytest.raises(error, match=r"siem\.example\.com/in answered") as told:
        await sink.ship(sealed)
    assert getattr(told.value, "retry_after", None) == after
    assert "t-secret" not in str(told.value)


async def test_nobody_there_is_unavailable() -> None:
    gateway, (sealed,) = FakeGateway(), sealed_objects(1)
    gateway.egress.fail()
    with pytest.raises(SinkUnavailable, match="cannot be reached: ConnectionError"):
        await (await opened(gateway)).ship(sealed)
