"""The example of telemetry: every request is told to the collector, to Prometheus and to the webhook, in agreement."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_runs import tour

_SECONDS = 120.0


@pytest.mark.timeout(150)
async def test_traces_metrics_and_webhooks_tell_the_same(tmp_path: Path) -> None:
    told, shown = await tour("telemetry", tmp_path, _SECONDS)
    assert told["requests"] == 20
    assert told["spans"] == {"requests": 20, "calls": 21, "failed": 1}
    assert told["exports"]["metrics"] > 0
    assert (told["webhooks"]["payloads"], told["webhooks"]["streams"]) == (20, told["streams"])
    assert counted(told["metrics"], "routeiq_requests_total") == 20
    assert counted(told["metrics"], "routeiq_attempts_total") == 21
    fallback, webhook = told["fallback"], told["webhooks"]["fallback"]
    assert webhook["trace_id"] == fallback["trace_id"]
    assert webhook["model_group"] == fallback["answered_by"] == "strong"
    assert (webhook["model"], webhook["status"]) == ("sim-sage", "success")
    request, failed, answered = (line for line in fallback["tree"] if line.rstrip().endswith(("ms", "FAILED")))
    assert request.startswith("POST /v1/chat/completions")
    assert failed.startswith("  chat sim-retired")
    assert failed.endswith("FAILED")
    assert answered.startswith("  chat sim-sage")
    assert "requests/s" in told["top"]
    assert "OpenTelemetry: what the collector got" in shown


def counted(lines: list[str], metric: str) -> float:
    """The sum over all label sets."""
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(metric + "{"))
