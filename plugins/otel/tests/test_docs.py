"""The pages about OpenTelemetry and the code name the same metrics, attributes and settings."""

from __future__ import annotations

import re
from pathlib import Path

from routeiq_otel import names
from routeiq_otel.config import OtelConfig, Tail
from routeiq_otel.instruments import Instruments
from routeiq_otel.levels import Levels
from routeiq_sdk import Vitals
from routeiq_sdk.testing import FakeGateway
from routeiq_sdk.values.vitals import HookFigures

from .collector import REQUESTS, Export, Received

DOCS = Path(__file__).resolve().parents[3] / "docs"
NAMES = (DOCS / "reference" / "telemetry-names.md").read_text(encoding="utf-8")
GUIDE = (DOCS / "how-to" / "opentelemetry.md").read_text(encoding="utf-8")
KINDS = "counter|histogram|gauge|level"
ROW = re.compile(rf"^\| `((?:gateway|gen_ai|mcp)\.[a-z_.]+)` \| ({KINDS}) \| `([^`]+)` \|", re.MULTILINE)


def levels() -> set[tuple[str, str, str]]:
    """Metrics that are read at each export, from a process that has something to tell of each."""
    from routeiq_otel.envelope import Envelope

    gateway = FakeGateway("otel")
    gateway.vital_signs = Vitals(
        running={"d": 1}, benched={"d": 1.0}, hooks={"p.guard_request": HookFigures(1, 0, 0.0)}
    )
    body = Envelope({}).around(Levels(gateway, delta=False).encoded(1, {"traces": 0}))
    received = Received([Export("metrics", "", {}, body, REQUESTS["metrics"].FromString(body))])
    found = set()
    for metric in received.metrics.values():
        kind = metric.WhichOneof("data")
        told = "gauge" if kind == "gauge" else "counter" if metric.sum.is_monotonic else "level"
        found.add((metric.name, told, metric.unit))
    return found


def test_the_table_of_metrics_is_the_codes() -> None:
    instruments = Instruments(10)
    counted = {(each.name, "counter", each.unit) for each in instruments.sums}
    counted |= {(each.name, "histogram", each.unit) for each in instruments.histograms}
    written = ROW.findall(NAMES)
    assert len(written) == len(set(written))
    assert set(written) == counted | levels()


def test_every_attribute_and_event_is_on_the_page() -> None:
    words = {value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}
    metrics = {name for name, _, _ in ROW.findall(NAMES)}
    missing = sorted(word for word in words - metrics if f"`{word}`" not in NAMES and f"`{word}`:" not in NAMES)
    assert missing == []


def test_every_attribute_on_the_page_is_in_the_code() -> None:
    words = {value for value in vars(names).values() if isinstance(value, str)}
    metrics = {name for name, _, _ in ROW.findall(NAMES)}
    told = set(re.findall(r"`((?:gen_ai|mcp|a2a|routeiq|router|gateway|http|server|client)\.[a-z_.0-9]+)`", NAMES))
    assert told - words - metrics - {"gen_ai.client.operation.time_per_output_chunk", "routeiq.admin.v1"} == set()


def test_every_setting_is_in_the_guide() -> None:
    for name, field in OtelConfig.model_fields.items():
        keys = [mark.key.rpartition(".")[2] for mark in field.metadata if hasattr(mark, "key")]
        word = (keys or [name])[0]
        assert re.search(rf"`[^`\n]*\b{word}\b|\b{word}:", GUIDE), f"{word} is not in the guide"
    for name in Tail.model_fields:
        assert f"{name}:" in GUIDE
