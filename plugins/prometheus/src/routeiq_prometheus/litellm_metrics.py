"""LiteLLM's metrics, summed from our rows. A label without a value is `None`, as LiteLLM writes it.

Names and labels are in `litellm_labels`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping

from routeiq_prometheus.config import PrometheusConfig
from routeiq_prometheus.families import Buckets, Labels
from routeiq_prometheus.layout import Layout
from routeiq_prometheus.litellm_labels import BUDGETS, LABELS, is_shown, labels_of
from routeiq_prometheus.metric import Computed, Kind, Metric, Scene, Source, Where
from routeiq_prometheus.places import place_of

_NANO = 1e-9
_USD = 1e9
_HOUR_NS = 3_600_000_000_000
_HOURS_LEFT = 2
_NO_CALL = frozenset({"vetoed", "cancelled"})
_REPORTS = frozenset({"record", "emit", "commit"})
_PARTLY_OUT, _OUT = 1.0, 2.0


def litellm_metrics(config: PrometheusConfig, layout: Layout) -> Iterator[Metric]:
    """All that the configuration wants."""
    for metric in _all(config, layout):
        if is_shown(_plain(metric), config):
            yield metric


def _all(config: PrometheusConfig, layout: Layout) -> Iterator[Metric]:
    renamed = {"litellm_model_name": "model", "exception_status": "status_code"}

    def make(
        name: str,
        kind: Kind,
        help: str,
        *sources: Source,
        buckets: Buckets | None = None,
        scale: float = 1.0,
        computed: Computed | None = None,
    ) -> Metric:
        labels = labels_of(name, config, layout.custom.names)
        shown = f"{name.removesuffix('_total')}_total" if kind == "counter" else name
        kept = computed and _only(LABELS[name], labels, computed)
        return Metric(shown, kind, help, labels, sources, buckets, scale, "None", kept)

    def of_requests(cell: int, where: Where | None = None) -> Source:
        return Source(layout.request, cell, where, renamed)

    def of_attempts(where: Where) -> Source:
        return Source(layout.attempt, layout.ATTEMPTS, where, {"litellm_model_name": "model"})

    def histogram(name: str, help: str, buckets: Buckets, where: Where | None = None) -> Metric:
        return make(name, "histogram", help, of_requests(buckets.at, where), buckets=buckets)

    def tokens(name: str, help: str, *cells: int) -> Metric:
        return make(name, "counter", help, *(of_requests(cell) for cell in cells))

    yield make(
        "litellm_proxy_total_requests_metric", "counter", "Requests that clients made", of_requests(layout.REQUESTS)
    )
    yield make(
        "litellm_proxy_failed_requests_metric",
        "counter",
        "Requests that got no successful answer",
        of_requests(layout.REQUESTS, _failed),
    )
    yield make(
        "litellm_requests_metric",
        "counter",
        "Successful calls of models; deprecated",
        of_requests(layout.REQUESTS, _succeeded),
    )
    yield make(
        "litellm_llm_api_failed_requests_metric",
        "counter",
        "Failed calls of models; deprecated",
        of_requests(layout.REQUESTS, _failed_at_provider),
    )
    yield histogram(
        "litellm_request_total_latency_metric",
        "Seconds from the arrival of a request to its last byte",
        layout.total,
        _succeeded,
    )
    yield histogram("litellm_llm_api_latency_metric", "Seconds that the provider's answer took", layout.provider)
    yield histogram(
        "litellm_llm_api_time_to_first_token_metric",
        "Seconds from a streaming call to the provider's first token",
        layout.provider_first,
    )
    yield histogram("litellm_overhead_latency_metric", "Seconds that the gateway itself took", layout.overhead)
    yield make("litellm_spend_metric", "counter", "US dollars spent", of_requests(layout.COST), scale=_NANO)
    yield tokens("litellm_total_tokens_metric", "Input and output tokens", layout.INPUT, layout.OUTPUT)
    yield tokens("litellm_input_tokens_metric", "Input tokens", layout.INPUT)
    yield tokens("litellm_output_tokens_metric", "Output tokens", layout.OUTPUT)
    cached, written = "Input tokens read from the provider's cache", "Input tokens written to the provider's cache"
    yield tokens("litellm_input_cached_tokens_metric", cached, layout.CACHED)
    yield tokens("litellm_input_cache_creation_tokens_metric", written, layout.CACHE_WRITE)
    yield tokens("litellm_output_reasoning_tokens_metric", "Output tokens of reasoning", layout.REASONING)
    yield tokens("litellm_provider_cache_read_input_tokens_metric", cached, layout.CACHED)
    yield tokens("litellm_provider_cache_creation_input_tokens_metric", written, layout.CACHE_WRITE)
    yield make(
        "litellm_deployment_state",
        "gauge",
        "0: healthy, 1: kept out by some workers, 2: kept out by all",
        computed=lambda scene: _states(scene, layout),
    )
    yield make(
        "litellm_deployment_cooled_down",
        "counter",
        "How often failures kept a deployment out",
        Source(layout.cooled, 0, None, {"litellm_model_name": "model"}),
    )
    for unit in ("rpm", "tpm"):
        yield make(
            f"litellm_deployment_{unit}_limit",
            "gauge",
            f"The configured {unit} of a deployment",
            computed=_limits(unit),
        )
    yield make(
        "litellm_deployment_total_requests",
        "counter",
        "Calls of a deployment, answered or failed",
        of_requests(layout.ANSWERED),
        of_attempts(_was_called),
    )
    yield make(
        "litellm_deployment_success_responses",
        "counter",
        "Calls of a deployment that were answered",
        of_requests(layout.ANSWERED),
    )
    yield make(
        "litellm_deployment_failure_responses",
        "counter",
        "Calls of a deployment that failed",
        of_attempts(_was_called),
    )
    yield histogram(
        "litellm_deployment_latency_per_output_token",
        "Seconds an output token: of a whole answer, or to the first token of a stream",
        layout.per_token,
    )
    for outcome, what in (("successful", "ok"), ("failed", "failed")):
        yield make(
            f"litellm_deployment_{outcome}_fallbacks",
            "counter",
            f"Calls of another model after a failure, {outcome} ones",
            Source(layout.fallback, 0, _ended(what)),
        )
    yield make(
        "litellm_callback_logging_failures_metric",
        "counter",
        "Failures of plugins that report requests",
        Source(layout.hook, layout.ERRORS, lambda row: row["hook"] in _REPORTS, {"callback_name": "plugin"}),
    )
    tool = {"mcp_tool_name": "tool", "mcp_server_name": "server"}
    yield make(
        "litellm_mcp_tool_calls_total",
        "counter",
        "Calls of MCP tools that reached their server",
        Source(layout.tool, layout.TOOL_CALLS, _was_asked, tool),
    )
    yield make(
        "litellm_mcp_tool_call_spend_metric",
        "counter",
        "US dollars spent on calls of MCP tools",
        Source(layout.tool, layout.TOOL_COST, _was_asked, tool),
        scale=_NANO,
    )
    yield make(
        "litellm_in_flight_requests",
        "gauge",
        "Requests under way",
        computed=lambda scene: [((), scene.total(layout.worker, layout.IN_FLIGHT))],
    )
    helps = ("US dollars left of a budget", "US dollars of a budget", "Hours until a budget starts anew")
    for scope, metrics in BUDGETS.items():
        for place, (name, labels) in enumerate(metrics):
            yield make(name, "gauge", helps[place], computed=_budgets(layout, scope, place, len(labels)))


def _plain(metric: Metric) -> str:
    return metric.name if metric.name in LABELS else metric.name.removesuffix("_total")


def _only(all_labels: Labels, kept: Labels, computed: Computed) -> Computed:
    """The same values without the labels that the configuration leaves out."""
    places = [all_labels.index(label) for label in kept]
    return lambda scene: [(tuple(labels[place] for place in places), value) for labels, value in computed(scene)]


def _succeeded(row: Mapping[str, str]) -> bool:
    return row["status_code"] < "400" and row["model_id"] != ""


def _failed(row: Mapping[str, str]) -> bool:
    return row["status_code"] >= "400"


def _failed_at_provider(row: Mapping[str, str]) -> bool:
    return row["status_code"] >= "400" and row["model_id"] != ""


def _was_called(row: Mapping[str, str]) -> bool:
    return row["kind"] not in _NO_CALL


def _was_asked(row: Mapping[str, str]) -> bool:
    return row["protocol"] == "mcp" and row["outcome"] != "refused"


def _states(scene: Scene, layout: Layout) -> Iterable[tuple[Labels, float]]:
    benched = scene.by_first_label(layout.deployment, layout.BENCHED)
    for id, deployment in scene.places.all().items():
        place = place_of(deployment)
        by = benched.get(id, 0.0)
        state = 0.0 if not by else _OUT if by >= scene.workers else _PARTLY_OUT
        yield (place.model, id, place.api_base, place.api_provider), state


def _ended(outcome: str) -> Where:
    return lambda row: row["outcome"] == outcome


def _budgets(layout: Layout, scope: str, what: int, width: int) -> Computed:
    """What is left (0), what there is (1), hours until it starts anew (2), of the budgets that bound requests."""

    def budgets(scene: Scene) -> Iterable[tuple[Labels, float]]:
        for (owner, id, alias), cells in scene.rows.get(layout.budget, {}).items():
            if owner != scope:
                continue
            labels = (id, alias)[:width]
            if what < _HOURS_LEFT:
                yield labels, cells[(layout.LEFT, layout.LIMIT)[what]] / _USD
            elif cells[layout.RESETS_AT]:
                yield labels, max(0.0, (cells[layout.RESETS_AT] - time.time_ns()) / _HOUR_NS)

    return budgets


def _limits(unit: str) -> Computed:
    def limits(scene: Scene) -> Iterable[tuple[Labels, float]]:
        for id, deployment in scene.places.all().items():
            limit = deployment.rpm if unit == "rpm" else deployment.tpm
            if limit is not None:
                place = place_of(deployment)
                yield (deployment.group, place.model, id, place.api_base, place.api_provider), float(limit)

    return limits
