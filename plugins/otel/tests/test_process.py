"""A real gateway of two worker processes: each is an instance of its own, and a stop loses nothing."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import aiohttp

from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import openai_row

from .collector import HttpCollector, told
from .serving import KEY, chat, served, stopped

REQUESTS = 20


def written(tmp_path: Path, upstream: ScriptedUpstream, workers: int, **otel: Any) -> dict[str, Any]:
    return {
        "model_list": [openai_row("fast", upstream.base_url)],
        "general_settings": {"master_key": KEY},
        "routeiq": {
            "profile": "minimal",
            "data_dir": str(tmp_path / "data"),
            "server": {"workers": workers, "grace_seconds": 5},
            "plugins": {"otel": {"linger_seconds": 60, **otel}},  # nothing leaves before the stop
        },
    }


async def test_every_request_of_every_worker_arrives_although_the_gateway_is_stopped_at_once(
    tmp_path: Path, scripted_upstream: ScriptedUpstream, otlp_collector: HttpCollector
) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": otlp_collector.url}
    async with served(tmp_path, written(tmp_path, scripted_upstream, 2), env) as (process, url):
        workers = set[int]()
        asked = 0
        while len(workers) < 2 or asked < REQUESTS:
            with contextlib.suppress(aiohttp.ServerDisconnectedError):
                workers.add(await chat(url))
                asked += 1
        await stopped(process)
    assert len(otlp_collector.servers()) == asked
    assert len(otlp_collector.spans) == 2 * asked
    resources = [
        told(resource.resource.attributes)
        for message in otlp_collector.of("traces")
        for resource in message.resource_spans
    ]
    assert {resource["routeiq.worker"] for resource in resources} == {0, 1}
    assert len({resource["service.instance.id"] for resource in resources}) == 2
    assert "gateway.request.total" in otlp_collector.metrics


async def test_the_consoles_exporter_writes_the_spans_of_a_gateway(
    tmp_path: Path, scripted_upstream: ScriptedUpstream
) -> None:
    config = written(tmp_path, scripted_upstream, 1, exporters=["console"])
    async with served(tmp_path, config, {}) as (process, url):
        await chat(url)
        output = await stopped(process)
    spans = [json.loads(found) for found in re.findall(r"^\{\n.*?^\}$", output, re.MULTILINE | re.DOTALL)]
    server, child = sorted(spans, key=lambda span: str(span["kind"]), reverse=True)
    assert (server["name"], server["kind"]) == ("POST /v1/chat/completions", "SpanKind.SERVER")
    assert child["parent_id"] == server["context"]["span_id"]
    assert server["resource"]["attributes"]["service.name"] == "routeiq"
