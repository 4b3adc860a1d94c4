"""LiteLLM's gauges of budgets: what is left after the request, of all workers the newest word."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from routeiq_prometheus.config import PrometheusConfig
from routeiq_prometheus.plugin import Prometheus
from routeiq_sdk.testing import FakeGateway, make_context, running
from routeiq_sdk.testing.fakes import make_record
from routeiq_sdk.values.budgets import Budget
from routeiq_sdk.values.http import Headers, HttpRequest
from routeiq_testkit import ScriptedUpstream
from routeiq_testkit.gateway import openai_row
from routeiq_testkit.pytest_plugin import StartGateway

USD = 1_000_000_000


def values(text: str) -> dict[tuple[str, ...], float]:
    """Samples of budgets: name and label values."""
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if "budget" in sample.name
    }


async def test_a_budget_that_bound_a_request_is_shown_with_what_is_left(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    row = openai_row("m", scripted_upstream.base_url, input_cost_per_token="0.001", output_cost_per_token="0.001")
    plugins = {"governance": {}, "prometheus": {}}
    running_gateway = await gateway({"model_list": [row], "routeiq": {"plugins": plugins}})
    session = running_gateway.session
    team = {"team_id": "t1", "team_alias": "makers", "max_budget": 10, "budget_duration": "30d"}
    async with session.post("/team/new", json=team) as answer:
        assert answer.status == 200, await answer.text()
    async with session.post("/key/generate", json={"team_id": "t1", "max_budget": 4, "key_alias": "mine"}) as answer:
        made = await answer.json()
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 50}
    headers = {"authorization": f"Bearer {made['key']}"}
    async with session.post("/v1/chat/completions", json=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
    (record,) = await running_gateway.recorded()
    assert record.cost is not None
    async with session.get("/metrics") as answer:
        found = values(await answer.text())
    cost = record.cost / USD
    hashed = made["token"]
    assert found["litellm_api_key_max_budget_metric", hashed, "mine"] == 4.0
    assert found["litellm_remaining_api_key_budget_metric", hashed, "mine"] == round(4.0 - cost, 9)
    assert found["litellm_team_max_budget_metric", "makers", "t1"] == 10.0
    assert found["litellm_remaining_team_budget_metric", "makers", "t1"] == round(10.0 - cost, 9)
    assert 0 < found["litellm_team_budget_remaining_hours_metric", "makers", "t1"] <= 31 * 24
    assert ("litellm_api_key_budget_remaining_hours_metric", hashed, "mine") not in found, "it never starts anew"


async def test_the_newest_word_about_a_budget_counts() -> None:
    gateway = FakeGateway("prometheus")
    async with running(Prometheus(PrometheusConfig()), gateway) as plugin:
        for at, spent in ((1_000, 1 * USD), (2_000, 3 * USD)):
            budgets = (Budget("user", "ada", 5 * USD, spent), Budget("customer", "c-9", 2 * USD, 0))
            plugin.record(make_context(), make_record(budgets=budgets, at=at, cost=0))
        request = HttpRequest("GET", "/metrics", {}, {}, Headers([]), b"", None)
        page = await plugin._page.serve(request)
    found = values(bytes(page.body).decode())
    assert found["litellm_remaining_user_budget_metric", "ada"] == 2.0
    assert found["litellm_customer_max_budget_metric", "c-9"] == 2.0
