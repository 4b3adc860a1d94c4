"""Each target gets what its service expects, through a real gateway."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.pytest_plugin import StartGateway

from .recorder import Recorder


def langfuse(recorder: Recorder, **more: Any) -> dict[str, Any]:
    return {"kind": "langfuse", "host": recorder.url, "public_key": "pk-lf-1", "secret_key": "sk-lf-2", **more}


async def test_langfuse_gets_a_trace_and_a_generation(gateway: StartGateway, telling: Any, recorder: Recorder) -> None:
    recorder.answer, recorder.status = b'{"successes": [], "errors": []}', 207
    running = await gateway(telling(langfuse(recorder, tags=["prod"])))
    metadata = {"session_id": "s-1", "trace_name": "support", "trace_user_id": "ada"}
    _, headers, _ = await running.chat("m", "my plan", metadata=metadata, temperature=0.5)
    (sent,) = await recorder.until(1)
    assert (sent.method, sent.path) == ("POST", "/api/public/ingestion")
    assert sent.headers["authorization"] == "Basic " + base64.b64encode(b"pk-lf-1:sk-lf-2").decode()
    trace, generation = sent.json()["batch"]
    assert (trace["type"], generation["type"]) == ("trace-create", "generation-create")
    assert trace["body"]["tags"] == ["prod"]
    assert [trace["body"][name] for name in ("name", "sessionId", "userId")] == ["support", "s-1", "ada"]
    body = generation["body"]
    assert body["traceId"] == trace["body"]["id"]
    assert body["id"] == headers["x-routeiq-request-id"]
    assert body["modelParameters"]["temperature"] == 0.5
    assert body["usageDetails"]["input"] > 0
    assert body["costDetails"]["total"] == pytest.approx(body["usageDetails"]["input"] * 1e-06)
    assert (body["input"], body["output"], body["level"]) == (None, None, "DEFAULT")


async def test_langfuse_tells_a_failure_as_an_error(
    gateway: StartGateway, telling: Any, recorder: Recorder, scripted_upstream: ScriptedUpstream
) -> None:
    scripted_upstream.default = Reply.error(500, "it broke")
    running = await gateway(telling(langfuse(recorder)))
    await running.chat("m")
    (sent,) = await recorder.until(1)
    generation = sent.json()["batch"][1]["body"]
    assert generation["level"] == "ERROR"
    assert "InternalServerError" in generation["statusMessage"]


async def test_a_webhook_gets_lists_of_payloads(gateway: StartGateway, telling: Any, recorder: Recorder) -> None:
    target = {"kind": "webhook", "url": f"{recorder.url}/logs?x=1", "headers": {"x-token": "t-1"}}
    running = await gateway(telling(target))
    for _ in range(3):
        await running.chat("m")
    async with asyncio.timeout(10):
        while sum(len(sent.json()) for sent in recorder.sent) < 3:
            await asyncio.sleep(0.02)
    sent = recorder.sent[0]
    assert (sent.path, sent.query, sent.headers["x-token"]) == ("/logs", {"x": "1"}, "t-1")
    payload = sent.json()[0]
    assert (payload["status"], payload["model_group"], payload["metadata"]["user_api_key_hash"]) == (
        "success",
        "m",
        "master",
    )
    assert payload["startTime"] < payload["completionStartTime"] <= payload["endTime"]


async def test_a_webhook_may_get_one_payload_a_post(gateway: StartGateway, telling: Any, recorder: Recorder) -> None:
    running = await gateway(telling({"kind": "webhook", "url": recorder.url, "batch": False}))
    await running.chat("m")
    (sent,) = await recorder.until(1)
    assert sent.json()["call_type"] == "chat"


async def test_datadog_gets_compressed_logs(gateway: StartGateway, telling: Any, recorder: Recorder) -> None:
    running = await gateway(telling({"kind": "datadog", "api_key": "dd-1", "url": recorder.url, "service": "gw"}))
    await running.chat("m")
    (sent,) = await recorder.until(1)
    assert (sent.path, sent.headers["dd-api-key"]) == ("/api/v2/logs", "dd-1")
    (entry,) = sent.json()
    assert (entry["service"], entry["status"], json.loads(entry["message"])["status"]) == ("gw", "info", "success")


async def test_s3_gets_a_signed_object_a_request(gateway: StartGateway, telling: Any, recorder: Recorder) -> None:
    target = {
        "kind": "s3",
        "bucket": "logs",
        "path": "gateway",
        "endpoint_url": recorder.url,
        "access_key_id": "AKIATEST",
        "secret_access_key": "s3-secret",
    }
    running = await gateway(telling(target))
    await running.chat("m")
    (sent,) = await recorder.until(1)
    assert sent.method == "PUT"
    assert re.fullmatch(r"/logs/gateway/\d{4}-\d\d-\d\d/time-\d\d-\d\d-\d\d-\d{6}_[\w-]+\.json", sent.path)
    assert sent.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIATEST/")
    assert "s3-secret" not in recorder.everything()
    assert sent.json()["status"] == "success"


async def test_gcs_gets_an_object_with_a_token_that_the_account_signed(
    gateway: StartGateway, telling: Any, recorder: Recorder, tmp_path: Path
) -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    account = tmp_path / "account.json"
    account.write_text(json.dumps({"client_email": "gw@example.com", "private_key": pem.decode()}))
    target = {"kind": "gcs", "bucket": "logs/gw", "service_account": str(account), "endpoint_url": recorder.url}
    running = await gateway(telling(target))
    await running.chat("m")
    (sent,) = await recorder.until(1)
    assert (sent.path, sent.query["uploadType"]) == ("/upload/storage/v1/b/logs/o", "media")
    assert sent.query["name"].startswith("gw/2")
    head, claims, signature = sent.headers["authorization"].removeprefix("Bearer ").split(".")
    key.public_key().verify(
        base64.urlsafe_b64decode(signature + "=="), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
    )
    told = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert (told["iss"], told["aud"]) == ("gw@example.com", "https://storage.googleapis.com/")


async def test_a_target_that_is_away_holds_up_no_other_and_gets_its_due_later(
    gateway: StartGateway, telling: Any, recorder: Recorder, other_recorder: Recorder
) -> None:
    recorder.status = 503
    targets = [{"kind": "webhook", "url": each.url} for each in (recorder, other_recorder)]
    running = await gateway(telling(*targets))
    status, _, _ = await running.chat("m")
    assert status == 200
    await other_recorder.until(1)
    await recorder.until(1)
    async with running.session.get("/health/readiness") as answer:
        assert "answered 503" in str(await answer.json())
    recorder.status = 200
    await recorder.until(len(recorder.sent) + 1)
    assert recorder.sent[-1].json()[0]["status"] == "success"


async def test_what_waits_at_a_stop_is_told(telling: Any, recorder: Recorder, tmp_path: Path) -> None:
    from routeiq_testkit.gateway import TestGateway

    async with TestGateway(tmp_path, telling({"kind": "webhook", "url": recorder.url})) as running:
        await running.chat("m")
        await running.recorded()
    assert len(recorder.sent) == 1
