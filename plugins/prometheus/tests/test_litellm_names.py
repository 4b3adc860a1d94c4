"""LiteLLM's metrics under LiteLLM's names with LiteLLM's labels, in a real gateway: dashboards made for it go on."""

from __future__ import annotations

import pytest

from routeiq_prometheus.config import PrometheusConfig
from routeiq_prometheus.litellm_labels import LABELS, labels_of
from routeiq_testkit import Reply, ScriptedUpstream, Usage
from routeiq_testkit.gateway import openai_row
from routeiq_testkit.pytest_plugin import StartGateway

from .conftest import Scrape

PRICES = {"input_cost_per_token": 0.001, "output_cost_per_token": 0.002}
CALLER = {
    "hashed_api_key": "master",
    "api_key_alias": "master key",
    "team": "None",
    "team_alias": "None",
    "user": "None",
    "end_user": "None",
}


def config(upstream: ScriptedUpstream, **sections: object) -> dict[str, object]:
    priced = openai_row("fast", upstream.base_url, "good", **PRICES, rpm=600, tpm=9000)
    return {
        "model_list": [
            {**priced, "model_info": {"id": "fast-1"}},
            {**openai_row("broken", upstream.base_url, "bad"), "model_info": {"id": "broken-1"}},
        ],
        "router_settings": {"num_retries": 0, "fallbacks": [{"broken": ["fast"]}]},
        "routeiq": {"plugins": {"prometheus": {}}},
        **sections,
    }


async def test_a_request_is_told_with_litellms_labels(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, scrape: Scrape
) -> None:
    running = await gateway(config(scripted_upstream))
    scripted_upstream.default_for("good", Reply.chat("four words are here", usage=Usage(10, 5)))
    assert (await running.chat("fast"))[0] == 200
    await running.recorded(1)
    page = await scrape(running)

    asked = page.one("litellm_proxy_total_requests_metric_total")
    place = {"model_id": "fast-1", "api_provider": "openai"}
    assert asked.value == 1
    assert asked.labels == {
        **CALLER,
        **place,
        "requested_model": "fast",
        "status_code": "200",
        "user_email": "None",
        "route": "/v1/chat/completions",
        "client_ip": "None",
        "user_agent": "None",
        "org_id": "None",
        "org_alias": "None",
    }
    assert list(page.samples("litellm_proxy_failed_requests_metric_total")) == []
    of_model = {**CALLER, **place, "model": "good", "requested_model": "fast", "user_email": "None"}
    assert page.sum("litellm_spend_metric_total", **of_model) == pytest.approx(0.02)
    assert page.sum("litellm_input_tokens_metric_total", **of_model) == 10
    assert page.sum("litellm_output_tokens_metric_total", **of_model) == 5
    assert page.sum("litellm_total_tokens_metric_total", **of_model) == 15
    for name in ("litellm_request_total_latency_metric", "litellm_llm_api_latency_metric"):
        assert page.sum(f"{name}_count", model_group="fast", model="good", service_tier="None", **CALLER) == 1
        assert page.sum(f"{name}_sum") > 0
        assert page.one(f"{name}_bucket", le="+Inf").value == 1
    assert list(page.samples("litellm_llm_api_time_to_first_token_metric_count")) == []
    deployment = {"litellm_model_name": "good", "api_base": scripted_upstream.base_url, **place}
    assert page.one("litellm_deployment_state", **deployment).value == 0
    assert page.one("litellm_deployment_rpm_limit", model_group="fast", **deployment).value == 600
    assert page.one("litellm_deployment_tpm_limit", model_group="fast", **deployment).value == 9000
    for name in ("total_requests", "success_responses"):
        assert page.one(f"litellm_deployment_{name}_total", requested_model="fast", **deployment).value == 1
    assert page.sum("litellm_deployment_latency_per_output_token_count", **deployment) == 1
    assert page.sum("litellm_overhead_latency_metric_count", **deployment) == 1
    assert page.one("litellm_in_flight_requests").value == 1, "this very scrape"


async def test_a_stream_is_told_with_its_time_to_the_first_token(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, scrape: Scrape
) -> None:
    running = await gateway(config(scripted_upstream))
    assert (await running.stream("fast"))[0] == 200
    await running.recorded(1)
    page = await scrape(running)
    assert page.sum("litellm_llm_api_time_to_first_token_metric_count", model_group="fast", **CALLER) == 1
    assert page.sum("litellm_llm_api_time_to_first_token_metric_sum") > 0


async def test_a_fallback_is_told_with_what_failed(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, scrape: Scrape
) -> None:
    running = await gateway(config(scripted_upstream))
    scripted_upstream.default_for("bad", Reply.error(500))
    assert (await running.chat("broken"))[0] == 200
    scripted_upstream.default_for("good", Reply.error(400))
    assert (await running.chat("broken"))[0] == 400
    await running.recorded(2)
    page = await scrape(running)
    switch = {"requested_model": "broken", "fallback_model": "fast", "hashed_api_key": "master", "model_id": "fast-1"}
    why = {"exception_status": "500", "exception_class": "Openai.InternalServerError"}
    for outcome in ("successful", "failed"):
        assert page.one(f"litellm_deployment_{outcome}_fallbacks_total", **switch, **why).value == 1
    assert page.sum("litellm_deployment_failure_responses_total", model_id="broken-1", **why) == 2
    assert page.sum("litellm_deployment_success_responses_total") == 1
    assert page.sum("litellm_deployment_total_requests_total") == 4
    failed = page.one("litellm_proxy_failed_requests_metric_total")
    assert (failed.labels["exception_status"], failed.labels["model_id"]) == ("400", "fast-1")
    assert failed.labels["exception_class"] == "Openai.BadRequestError"


async def test_a_deployment_that_is_kept_out_is_told(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, scrape: Scrape
) -> None:
    rows = [
        {**openai_row("pair", scripted_upstream.base_url, name), "model_info": {"id": f"pair-{name}"}}
        for name in ("good", "bad")
    ]
    settings = {"num_retries": 2, "cooldown_time": 600}
    running = await gateway(config(scripted_upstream, model_list=rows, router_settings=settings))
    scripted_upstream.default_for("bad", Reply.rate_limited(600))
    for _ in range(20):
        assert (await running.chat("pair"))[0] == 200
    await running.recorded(20)
    page = await scrape(running)
    assert page.one("litellm_deployment_state", model_id="pair-bad").value == 2
    assert page.one("litellm_deployment_state", model_id="pair-good").value == 0
    cooled = page.one("litellm_deployment_cooled_down_total")
    assert (cooled.value, cooled.labels["model_id"], cooled.labels["exception_status"]) == (1, "pair-bad", "429")
    assert page.one("routeiq_breaker_open", deployment="pair-bad").value == 1
    assert page.one("routeiq_breaker_open", deployment="pair-good").value == 0


async def test_litellms_choices_of_metrics_and_labels_hold(
    gateway: StartGateway, scripted_upstream: ScriptedUpstream, scrape: Scrape
) -> None:
    settings = {
        "prometheus_metrics_config": [
            {
                "group": "a",
                "metrics": ["litellm_spend_metric", "litellm_cache_hits_metric"],
                "include_labels": ["model"],
            },
            {"group": "b", "metrics": ["litellm_proxy_total_requests_metric", "litellm_llm_api_latency_metric"]},
        ],
        "prometheus_exclude_labels": ["user_agent"],
        "prometheus_latency_buckets": [0.5, 100],
        "prometheus_emit_stream_label": True,
        "prometheus_deployment_and_latency_caller_identity": "both",
        "custom_prometheus_tags": ["prod", "team/*"],
        "enable_end_user_cost_tracking_prometheus_only": True,
    }
    running = await gateway(config(scripted_upstream, litellm_settings=settings))
    assert (await running.chat("fast", user="ann", metadata={"tags": ["team/blue"]}))[0] == 200
    await running.recorded(1)
    page = await scrape(running)
    names = {name for name in page.families if name.startswith("litellm_")}
    assert names == {
        "litellm_spend_metric",
        "litellm_proxy_total_requests_metric",
        "litellm_llm_api_latency_metric",
    }
    assert page.one("litellm_spend_metric_total").labels == {"model": "good"}
    asked = page.one("litellm_proxy_total_requests_metric_total").labels
    assert (asked["stream"], asked["tag_prod"], asked["tag_team__"], asked["end_user"]) == (
        "false",
        "false",
        "true",
        "ann",
    )
    assert "user_agent" not in asked
    bounds = [sample.labels["le"] for sample in page.samples("litellm_llm_api_latency_metric_bucket")]
    assert bounds == ["0.5", "100.0", "+Inf"]
    assert page.one("litellm_llm_api_latency_metric_count").labels["user_email"] == "None"


@pytest.mark.parametrize("name", sorted(set(LABELS) - {"litellm_in_flight_requests"}))
def test_a_metric_has_exactly_litellms_labels(name: str) -> None:
    from litellm.types.integrations.prometheus import PrometheusMetricLabels

    ours = labels_of(name, PrometheusConfig(), ())
    assert sorted(ours) == sorted(PrometheusMetricLabels.get_labels(name))


def test_the_bounds_of_latencies_are_litellms() -> None:
    from litellm.types.integrations.prometheus import LATENCY_BUCKETS

    from routeiq_prometheus.layout import LATENCY_BOUNDS

    assert (*LATENCY_BOUNDS, float("inf")) == LATENCY_BUCKETS
