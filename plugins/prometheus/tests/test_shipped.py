"""The dashboard and the alert rules: each expression parses, and each metric in them exists in a real gateway."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml
from click.testing import CliRunner

from routeiq_prometheus.commands import metrics
from routeiq_testkit import Reply, ScriptedUpstream, Usage
from routeiq_testkit.gateway import openai_row
from routeiq_testkit.installed import PluginFolder
from routeiq_testkit.pytest_plugin import StartGateway

from .conftest import Scrape
from .test_in_the_gateway import CALLING, GUARD, call_tool

_GRAFANA = {"$__rate_interval": "5m", "$model": ".*"}
_NAME = re.compile(r"\b(?:routeiq|litellm)_\w+")


def printed(command: str) -> str:
    answer = CliRunner().invoke(metrics, [command])
    assert answer.exit_code == 0, answer.output
    return answer.output


DASHBOARD: dict[str, Any] = json.loads(printed("dashboard"))
RULES: dict[str, Any] = yaml.safe_load(printed("rules"))
ALERTS: list[dict[str, Any]] = [rule for group in RULES["groups"] for rule in group["rules"]]


def dashboard_expressions() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            text = target["expr"]
            for variable, value in _GRAFANA.items():
                text = text.replace(variable, value)
            yield text


EXPRESSIONS = [*dashboard_expressions(), *(alert["expr"] for alert in ALERTS)]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_is_promql(expression: str) -> None:
    promql_parser.parse(expression)
    assert "$" not in expression


def test_every_metric_that_is_asked_for_stands_in_some_expression_alone() -> None:
    assert all(_NAME.search(expression) for expression in EXPRESSIONS)
    assert len(EXPRESSIONS) > 40


def test_a_panel_has_a_place_of_its_own_and_a_title() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not taken & cells, panel["title"]
        taken |= cells
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    titles = [panel["title"] for panel in panels]
    assert all(titles)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in panels)


def test_an_alert_says_what_it_is() -> None:
    for alert in ALERTS:
        assert alert["labels"]["severity"] in ("critical", "warning", "info"), alert["alert"]
        assert set(alert["annotations"]) == {"summary", "description"}, alert["alert"]
    said = " ".join(alert["expr"] for alert in ALERTS)
    for wanted in (
        *("routeiq_cost_usd_total", "routeiq.quota.v1", 'stage="reserve"', 'status=~"5.."'),
        *("routeiq_time_to_first_token_seconds_bucket", "routeiq_breaker_open", "routeiq_shed_total"),
        *("routeiq_telemetry_lost_total", "routeiq_state_up"),
    ):
        assert wanted in said


async def test_every_metric_of_them_is_told_by_a_real_gateway(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, plugin_folder: PluginFolder, scrape: Scrape
) -> None:
    plugin_folder.install("objects", GUARD)
    plugin_folder.install("calling", CALLING)
    priced = {"input_cost_per_token": 0.001, "output_cost_per_token": 0.002}
    running = await gateway(
        {
            "model_list": [
                openai_row("fast", scripted_upstream.base_url, "good", **priced),
                openai_row("broken", scripted_upstream.base_url, "bad"),
            ],
            "router_settings": {"num_retries": 0, "fallbacks": [{"broken": ["fast"]}]},
            "routeiq": {
                "virtual_models": {"auto": {"models": ["fast"]}},
                "plugins": {"prometheus": {}, "objects": {}, "calling": {}},
            },
        }
    )
    scripted_upstream.default_for("bad", Reply.error(500))
    assert (await running.chat("broken"))[0] == 200
    assert (await running.chat("fast", "forbidden"))[0] == 400
    assert (await running.chat("fast", "dear"))[0] == 429
    scripted_upstream.script_for("good", Reply.error(400))
    assert (await running.chat("broken"))[0] == 400
    scripted_upstream.script_for("good", Reply.stream(["a", "b", "c", "d"], usage=Usage(10, 8)))
    assert (await running.stream("auto"))[0] == 200
    assert await call_tool(running, "forecast") == 200
    async with running.session.post("/v1/chat/completions", json={}, headers={"authorization": ""}) as response:
        assert response.status == 401
    asked = {name for expression in EXPRESSIONS for name in _NAME.findall(expression)}
    asked -= {"routeiq_quota_v1"}
    await running.recorded(6)
    missing = asked
    async with asyncio.timeout(10):
        while missing:
            missing = asked - (await scrape(running)).names
            if not all(name.startswith(("routeiq_events", "routeiq_tool_")) for name in missing):  # events come later
                break
    assert missing == set()
