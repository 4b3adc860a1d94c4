"""Webhooks and Datadog get payloads in the form that they expect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from routeiq_callbacks.config import DatadogTarget, WebhookTarget
from routeiq_callbacks.targets.base import NotTaken, place
from routeiq_callbacks.targets.datadog import Datadog
from routeiq_callbacks.targets.webhook import Webhook
from routeiq_sdk import Principal, Secret
from routeiq_sdk.testing import FakeGateway, make_context
from routeiq_sdk.testing.services import FakeAnswer
from routeiq_testkit.pytest_plugin import StartGateway

from .recorder import Recorder, Sent
from .requests import finished


async def test_a_webhook_gets_lists_of_payloads(gateway: StartGateway, telling: Any, recorder: Recorder) -> None:
    target = {"kind": "webhook", "url": f"{recorder.url}/logs?x=1", "headers": {"x-token": "t-1"}}
    running = await gateway(telling(target))
    for _ in range(3):
        await running.chat("m")
    await recorder.until(lambda sent: sum(len(one.json()) for one in sent) == 3)
    sent = recorder.sent[0]
    assert (sent.path, sent.query, sent.headers["x-token"]) == ("/logs", {"x": "1"}, "t-1")
    payload = sent.json()[0]
    assert (payload["status"], payload["model_group"], payload["call_type"]) == ("success", "m", "acompletion")
    assert payload["metadata"]["user_api_key_hash"] == "master"
    assert payload["startTime"] < payload["completionStartTime"] <= payload["endTime"]
    assert payload["api_base"].endswith("/v1")


async def test_a_webhook_may_get_one_payload_a_line(gateway: StartGateway, telling: Any, recorder: Recorder) -> None:
    running = await gateway(telling({"kind": "webhook", "url": recorder.url, "log_format": "ndjson"}))
    for _ in range(2):
        await running.chat("m")
    sent = await recorder.until(lambda sent: sum(one.text.count("\n") for one in sent) == 2)
    assert all(json.loads(line)["status"] == "success" for one in sent for line in one.text.splitlines())


async def test_a_webhook_may_get_one_payload_a_post() -> None:
    gateway = FakeGateway()
    target = Webhook(WebhookTarget(url="https://logs.example.com", log_format="single"))
    batch = [finished(request_id=f"req-{number}") for number in range(3)]
    gateway.egress.answer(FakeAnswer(200), FakeAnswer(503), FakeAnswer(200))
    with pytest.raises(NotTaken):
        await target.deliver(gateway, batch)
    assert await target.deliver(gateway, batch) == 0
    posted = [json.loads(call.body or b"")["litellm_call_id"] for call in gateway.egress.calls]
    assert posted == ["req-0", "req-1", "req-1", "req-2"]  # what was taken is not posted again


async def test_posts_that_are_too_large_are_halved_and_what_never_fits_is_counted() -> None:
    gateway = FakeGateway()

    class Small(type(gateway.egress)):  # type: ignore[misc]
        def call(self, method: str, url: str, **more: Any) -> Any:
            self.answer(
                FakeAnswer(413 if b"huge" in more["body"] or more["body"].count(b"litellm_call_id") > 2 else 200)
            )
            return super().call(method, url, **more)

    gateway.egress = Small()
    batch = [finished(request_id=f"req-{number}") for number in range(5)] + [finished(request_id="huge")]
    assert await Webhook(WebhookTarget(url="https://logs.example.com")).deliver(gateway, batch) == 1
    lists = [json.loads(call.body or b"") for call in gateway.egress.calls]
    small = {each["litellm_call_id"] for each_list in lists if len(each_list) <= 2 for each in each_list}
    assert small >= {f"req-{number}" for number in range(5)}


async def test_a_request_that_json_cannot_say_stops_no_other() -> None:
    gateway = FakeGateway()
    batch = [finished(request_id="req-1"), finished(request_id="req-2", requested_model="half \ud800", model=None)]
    assert await Webhook(WebhookTarget(url="https://logs.example.com")).deliver(gateway, batch) == 0
    (call,) = gateway.egress.calls
    assert [each["model"] for each in json.loads(call.body or b"")] == ["small", "half ?"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.example.com/services/T0/secret?token=x", "https://hooks.example.com"),
        ("http://[::1]:8080/secret", "http://[::1]:8080"),
    ],
)
def test_addresses_are_shown_without_path_and_query(url: str, shown: str) -> None:
    assert place(url) == shown
    assert Webhook(WebhookTarget(url=url)).name == f"webhook:{shown}"


async def test_datadog_gets_compressed_logs(gateway: StartGateway, telling: Any, recorder: Recorder) -> None:
    running = await gateway(telling({"kind": "datadog", "api_key": "dd-1", "url": recorder.url, "service": "gw"}))
    await running.chat("m")
    (sent,) = await recorder.until(1)
    assert (sent.path, sent.headers["dd-api-key"]) == ("/api/v2/logs", "dd-1")
    (entry,) = sent.json()
    assert (entry["service"], entry["status"], json.loads(entry["message"])["status"]) == ("gw", "info", "success")


async def test_datadog_gets_tags_and_the_status_of_failures() -> None:
    gateway = FakeGateway()
    target = Datadog(DatadogTarget(api_key=Secret("k"), site="datadoghq.eu", tags=("env:prod",), hostname="h"))
    ctx = make_context(principal=Principal("k", attributes={"team_alias": "Red Team"}))
    await target.deliver(gateway, [finished(ctx, status=500, tags=("A",))])
    (call,) = gateway.egress.calls
    assert call.url == "https://http-intake.logs.datadoghq.eu/api/v2/logs"
    (entry,) = Sent(call.method, call.url, {}, dict(call.headers), call.body or b"").json()
    assert entry["ddtags"] == "env:prod,request_tag:a,team:red_team"
    assert (entry["status"], entry["hostname"]) == ("error", "h")
