"""The contract of sinks, kept by every target: bounded, flushed at the end, unmoved by duplicates."""

from __future__ import annotations

import gzip
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from routeiq_callbacks.plugin import Callbacks
from routeiq_sdk import Plugin
from routeiq_sdk.testing import FakeGateway, SinkContract
from routeiq_sdk.testing.services import EgressCall


class Sinks(SinkContract):
    __test__ = False
    plugin = Callbacks
    name = "callbacks"
    target: ClassVar[Mapping[str, Any]]

    def make(self) -> Plugin[Any]:
        block = {"targets": [self.target], "most_waiting": 1000, **self.config}
        return self.plugin(self.plugin.Config.model_validate(block))

    def delivered(self, plugin: Plugin[Any], gateway: FakeGateway) -> Collection[str]:
        return {request_id for call in gateway.egress.calls for request_id in self.told(call)}

    def told(self, call: EgressCall) -> list[str]:
        return [json.loads(call.body or b"")["litellm_call_id"]]

    def test_events_are_delivered(self) -> None:
        assert "emit" not in self.hooks()  # requests only

    def test_a_batch_that_comes_twice_does_no_harm(self) -> None:
        assert "emit" not in self.hooks()


class TestWebhook(Sinks):
    __test__ = True
    target = {"kind": "webhook", "url": "https://logs.example.com"}

    def told(self, call: EgressCall) -> list[str]:
        return [payload["litellm_call_id"] for payload in json.loads(call.body or b"")]


class TestWebhookWithOneAPost(Sinks):
    __test__ = True
    target = {"kind": "webhook", "url": "https://logs.example.com", "log_format": "single"}


class TestLangfuse(Sinks):
    __test__ = True
    target = {"kind": "langfuse", "host": "https://lf.example.com", "public_key": "pk", "secret_key": "sk"}

    def told(self, call: EgressCall) -> list[str]:
        return [
            event["body"]["id"]
            for event in json.loads(call.body or b"")["batch"]
            if event["type"] == "generation-create"
        ]


class TestLangfuseCloud(Sinks):
    __test__ = True
    target = {"kind": "langfuse", "public_key": "pk", "secret_key": "sk"}

    def told(self, call: EgressCall) -> list[str]:
        (resource,) = json.loads(call.body or b"")["resourceSpans"]
        (scope,) = resource["scopeSpans"]
        attributes = [
            {each["key"]: each["value"].get("stringValue") for each in span["attributes"]} for span in scope["spans"]
        ]
        return [json.loads(each["langfuse.observation.metadata"])["litellm_call_id"] for each in attributes]


class TestDatadog(Sinks):
    __test__ = True
    target = {"kind": "datadog", "api_key": "dd"}

    def told(self, call: EgressCall) -> list[str]:
        logs = json.loads(gzip.decompress(call.body or b""))
        return [json.loads(each["message"])["litellm_call_id"] for each in logs]


class TestS3(Sinks):
    __test__ = True
    target = {"kind": "s3", "bucket": "logs", "access_key_id": "AKIA", "secret_access_key": "s"}


@pytest.fixture(scope="class")
def account(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    path = tmp_path_factory.mktemp("gcs") / "account.json"
    path.write_text(json.dumps({"client_email": "gw@example.com", "private_key": pem}))
    request.cls.target = {"kind": "gcs", "bucket": "logs", "service_account": str(path)}
    return path


@pytest.mark.usefixtures("account")
class TestGcs(Sinks):
    __test__ = True
