"""Exporters of the ecosystem are found by name, get whole trees beside requests, and harm none of them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SpanExportResult
from structlog.testing import capture_logs

from routeiq_otel.config import OtelConfig
from routeiq_otel.plugin import Otel
from routeiq_otel.tool_calls import spans_of
from routeiq_sdk import Plugin, PluginError
from routeiq_sdk.testing import FakeGateway, SinkContract, call_hook, make_context
from routeiq_sdk.testing.plugin import running
from routeiq_testkit import Reply, ScriptedUpstream
from routeiq_testkit.pytest_plugin import StartGateway

from .collector import HttpCollector
from .exporting import Exporters, foreign, ids
from .requests import request
from .test_in_the_gateway import CALLER, TRACE, ask, config
from .test_tool_calls import event

SECONDS = 15.0


def otel(**fields: Any) -> Otel:
    return Otel(OtelConfig.model_validate({"exporters": ["probe"], "linger_seconds": 0.01, **fields}))


async def tell(plugin: Plugin[Any], count: int = 1) -> None:
    for number in range(count):
        await call_hook(plugin, "record", make_context(), request(request_id=f"req-{number}"))


async def called(probe: Any) -> None:
    """Wait until the probe's thread is inside `export`."""
    assert await asyncio.to_thread(probe.called.wait, SECONDS)
    probe.called.clear()


async def test_an_exporter_gets_the_tree_that_otlp_gets(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, otlp_collector: HttpCollector, exporters: Exporters
) -> None:
    both = {"endpoint": otlp_collector.url, "exporters": ["probe", "otlp"], "metrics": False}
    running = await gateway(config(scripted_upstream, both))
    scripted_upstream.default_for("bad", Reply.error(500))
    assert await ask(running, "broken") == 200
    await running.app.stop()
    (server,) = exporters.servers
    assert ids(server)[0::2] == (TRACE, CALLER)
    assert len(exporters.spans) == 3
    assert [ids(span)[2] for span in exporters.spans if span is not server] == [ids(server)[1]] * 2
    sent = {(span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()) for span in otlp_collector.spans}
    assert {ids(span) for span in exporters.spans} == sent
    (probe,) = exporters.made
    assert probe.ended == 1
    assert foreign(list(probe.threads))


async def test_an_exporter_alone_is_enough(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, exporters: Exporters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "probe,none")
    running = await gateway(config(scripted_upstream, {"resource": {"team": "red"}}))
    assert await ask(running, "fast") == 200
    await running.app.stop()
    (server,) = exporters.servers
    told = server.resource.attributes
    assert (told["service.name"], told["team"], told["routeiq.worker"]) == ("routeiq", "red", 0)


async def test_what_is_not_sampled_is_kept_from_exporters_too(exporters: Exporters) -> None:
    async with running(otel(sample=0.0, tail={"errors": True}), FakeGateway("otel")) as plugin:
        await tell(plugin)
        await call_hook(plugin, "record", make_context(), request(request_id="req-broken", status=502))
    assert [dict(span.attributes or {})["routeiq.request_id"] for span in exporters.servers] == ["req-broken"]


async def test_an_unknown_name_is_refused_with_the_names_that_are_installed(exporters: Exporters) -> None:
    with pytest.raises(PluginError) as refused:
        async with running(otel(exporters=["probe", "zipkin_json"]), FakeGateway("otel")):
            pass
    said = str(refused.value)
    assert "no span exporter is named 'zipkin_json'" in said
    for name in ("console", "otlp", "probe"):
        assert name in said
    assert exporters.made == []


@pytest.mark.parametrize(
    ("name", "why"), [("unmakable", "no address"), ("stranger", "no SpanExporter"), ("missing", "AttributeError")]
)
async def test_an_exporter_that_cannot_be_made_is_named_and_the_others_are_shut_down(
    exporters: Exporters, name: str, why: str
) -> None:
    with pytest.raises(PluginError) as refused:
        async with running(otel(exporters=["probe", name]), FakeGateway("otel")):
            pass
    said = str(refused.value)
    assert f"the span exporter '{name}' cannot be made" in said
    assert why in said
    assert "sk-probe" not in said
    assert [probe.ended for probe in exporters.made] == [1]


async def test_an_exporter_that_raises_harms_no_request_and_no_other_receiver(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, otlp_collector: HttpCollector, exporters: Exporters
) -> None:
    both = {"endpoint": otlp_collector.url, "exporters": ["otlp", "probe"], "metrics": False}
    running = await gateway(config(scripted_upstream, both))
    (probe,) = exporters.made
    probe.fails = SystemExit("cannot, said sk-probe-0a1b2c3d4e5f6a7b")
    for _ in range(3):
        assert await ask(running, "fast") == 200
        await called(probe)
    await running.app.stop()
    assert (len(otlp_collector.servers()), exporters.spans, probe.ended) == (3, [], 1)


@pytest.mark.parametrize("how", ["raises", "says so"])
async def test_what_an_exporter_loses_is_counted_and_logged_once_a_minute(exporters: Exporters, how: str) -> None:
    plugin = otel()
    with capture_logs() as lines:
        async with running(plugin, FakeGateway("otel")):
            (probe,) = exporters.made
            if how == "raises":
                probe.fails = RuntimeError("cannot, said sk-probe-0a1b2c3d4e5f6a7b")
            else:
                probe.answer = SpanExportResult.FAILURE
            for _ in range(3):
                await tell(plugin)
                await called(probe)
            pipeline = plugin._pipeline
            assert pipeline is not None
        assert pipeline.losses()["traces"] == 3
    failures = [line for line in lines if line["event"] == "telemetry is not delivered"]
    assert len(failures) == 1
    assert failures[0]["reason"].startswith("the exporter probe: ")
    assert "sk-probe" not in str(lines)


async def test_a_batch_that_is_under_way_when_the_gateway_stops_is_exported_once(exporters: Exporters) -> None:
    gateway = FakeGateway("otel")
    async with running(otel(), gateway) as plugin:
        (probe,) = exporters.made
        probe.open.clear()
        await tell(plugin, 2)
        await called(probe)
        for task in gateway._tasks.values():
            task.cancel()
        await asyncio.wait(gateway._tasks.values())
        await call_hook(plugin, "record", make_context(), request(request_id="req-last"))
        probe.open.set()
    found = [dict(span.attributes or {})["routeiq.request_id"] for span in exporters.servers]
    assert found == ["req-0", "req-1", "req-last"]


async def test_an_exporter_that_never_returns_lets_the_gateway_end(
    exporters: Exporters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("routeiq_otel.pipeline._FLUSH_SECONDS", 0.05)
    with capture_logs() as lines:
        async with running(otel(), FakeGateway("otel")) as plugin:
            (probe,) = exporters.made
            probe.open.clear()
            await tell(plugin)
            await called(probe)
            await tell(plugin, 5)
    assert (probe.calls, probe.ended) == (1, 1)
    assert [line["lost"] for line in lines if line["event"] == "telemetry is not delivered"] == [5]


class TestOtelWithAnExporter(SinkContract):
    plugin = Otel
    name = "otel"
    config = {"exporters": ["probe"], "most_waiting": 1000}

    @pytest.fixture(autouse=True)
    def _installed(self, exporters: Exporters) -> None:
        self.exporters = exporters

    def test_events_are_delivered(self) -> None:
        assert "emit" not in self.make().idle_hooks, "calls of tools are spans; see test_tool_calls"

    def test_a_batch_that_comes_twice_does_no_harm(self) -> None:
        assert spans_of(event()) == spans_of(event())

    def jam(self, plugin: Plugin[Any], gateway: FakeGateway) -> None:
        self.exporters.made[-1].open.clear()

    def unjam(self, plugin: Plugin[Any], gateway: FakeGateway) -> None:
        self.exporters.made[-1].open.set()

    def delivered(self, plugin: Plugin[Any], gateway: FakeGateway) -> Collection[str]:
        return {str((span.attributes or {})["routeiq.request_id"]) for span in self.exporters.servers}
