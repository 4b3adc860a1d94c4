"""The contract of sinks, kept: bounded, flushed at the end, unmoved by duplicates."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from routeiq_otel.plugin import Otel
from routeiq_otel.tool_calls import spans_of
from routeiq_sdk import Plugin
from routeiq_sdk.testing import FakeGateway, SinkContract

from .collector import REQUESTS, Export, Received, told, value_of
from .test_tool_calls import event


class TestOtel(SinkContract):
    plugin = Otel
    name = "otel"
    config = {"endpoint": "http://127.0.0.1:4318", "logs": True, "most_waiting": 1000}

    def delivered(self, plugin: Plugin[Any], gateway: FakeGateway) -> Collection[Any]:
        received = Received()
        for call in gateway.egress.calls:
            signal = call.url.rpartition("/")[2]
            assert call.body is not None
            received.exports.append(
                Export(signal, call.url, call.headers, call.body, REQUESTS[signal].FromString(call.body))
            )
        logged = {told(log.attributes).get("routeiq.request_id") for log in received.logs}
        emitted = [value_of(log.body) for log in received.logs if log.event_name == "routeiq.test.v1"]
        if emitted:
            return logged
        traced = {told(span.attributes)["routeiq.request_id"] for span in received.servers()}
        return traced & logged


class TestOtelWithTracesAlone(TestOtel):
    config = {"endpoint": "http://127.0.0.1:4318", "metrics": False, "most_waiting": 1000}

    def test_events_are_delivered(self) -> None:
        assert "emit" not in self.make().idle_hooks, "calls of tools are spans; see test_tool_calls"

    def test_a_batch_that_comes_twice_does_no_harm(self) -> None:
        assert spans_of(event()) == spans_of(event())

    def delivered(self, plugin: Plugin[Any], gateway: FakeGateway) -> Collection[str]:
        bodies = [call.body or b"" for call in gateway.egress.calls]
        received = Received([Export("traces", "", {}, body, REQUESTS["traces"].FromString(body)) for body in bodies])
        return {told(span.attributes)["routeiq.request_id"] for span in received.servers()}
