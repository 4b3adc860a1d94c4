"""RouteIQ's own metrics. Their labels are few and bounded: no key, no user.

The rows they are summed from are laid out in `layout`.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version

from routeiq_prometheus.families import Buckets, Family, Labels
from routeiq_prometheus.layout import Layout
from routeiq_prometheus.metric import Computed, Metric, Scene, Source

_NANO = 1e-9
_OF_REQUESTS = {"model": "model_group", "deployment": "model_id", "status": "status_code"}
_TOKENS = ("INPUT", "OUTPUT", "CACHED", "CACHE_WRITE", "REASONING")


def own_metrics(layout: Layout) -> Iterator[Metric]:
    """All of them."""
    yield from _of_requests(layout)
    yield from _of_routing(layout)
    yield from _of_tools(layout)
    yield from _of_gates(layout)
    yield from _of_plugins(layout)
    yield from _of_workers(layout)


def _of_requests(layout: Layout) -> Iterator[Metric]:
    def requests(cell: int) -> Source:
        return Source(layout.request, cell, None, _OF_REQUESTS)

    def histogram(name: str, help: str, labels: Labels, buckets: Buckets, exemplars: bool = False) -> Metric:
        return Metric(name, "histogram", help, labels, (requests(buckets.at),), buckets=buckets, exemplars=exemplars)

    yield _counter(
        "routeiq_requests_total",
        "Requests for models by the status that clients got; 499: the client went away",
        ("route", "model", "status"),
        requests(layout.REQUESTS),
    )
    yield histogram(
        "routeiq_request_seconds",
        "Seconds from the arrival of a request to its last byte",
        ("route", "model", "stream"),
        layout.total,
        exemplars=True,
    )
    yield histogram(
        "routeiq_time_to_first_token_seconds",
        "Seconds from the arrival of a streaming request to its first token",
        ("model", "deployment"),
        layout.first_token,
        exemplars=True,
    )
    yield histogram(
        "routeiq_time_per_output_token_seconds",
        "Mean seconds between output tokens of a stream",
        ("model", "deployment"),
        layout.token_gap,
    )
    yield Metric(
        "routeiq_tokens_total",
        "counter",
        "Tokens of answers; cached and cache_write are parts of input, reasoning is a part of output",
        ("model", "deployment", "kind"),
        tuple(
            Source(layout.request, getattr(layout, cell), None, _OF_REQUESTS, {"kind": cell.lower()})
            for cell in _TOKENS
        ),
    )
    attempts = {"model": "model_group", "deployment": "model_id"}
    yield Metric(
        "routeiq_cost_usd_total",
        "counter",
        "US dollars that calls cost, failed attempts included",
        ("model", "deployment", "team"),
        (requests(layout.COST), Source(layout.attempt, layout.ATTEMPTS_COST, None, attempts)),
        scale=_NANO,
    )
    yield histogram(
        "routeiq_task_cost_usd",
        "US dollars that a completed request cost, all its attempts together",
        ("model",),
        layout.task_cost,
    )


def _of_routing(layout: Layout) -> Iterator[Metric]:
    decision = layout.decision
    yield _counter(
        "routeiq_decisions_total",
        "Routing decisions by the model they chose",
        ("strategy", "model"),
        Source(decision, 0),
    )
    for name, help, buckets in (
        ("routeiq_routing_seconds", "Seconds that a routing decision took", layout.routing),
        ("routeiq_candidates", "Models that a routing decision could choose from", layout.candidates),
    ):
        yield Metric(name, "histogram", help, ("strategy",), (Source(decision, buckets.at),), buckets=buckets)
    answered = {"deployment": "model_id"}
    yield _counter(
        "routeiq_attempts_total",
        "Calls of deployments by how they ended",
        ("deployment", "kind"),
        Source(layout.request, layout.ANSWERED, None, answered, {"kind": "ok"}),
        Source(layout.attempt, layout.ATTEMPTS, None, answered),
    )
    yield Metric(
        "routeiq_breaker_open",
        "gauge",
        "1 while a worker keeps the deployment out after failures",
        ("deployment",),
        computed=lambda scene: _of_deployments(scene, layout, layout.BENCHED, most=1.0),
    )
    yield Metric(
        "routeiq_running",
        "gauge",
        "Calls of the deployment under way",
        ("deployment",),
        computed=lambda scene: _of_deployments(scene, layout, layout.RUNNING),
    )


def _of_tools(layout: Layout) -> Iterator[Metric]:
    tool = layout.tool
    yield _counter(
        "routeiq_tool_calls_total",
        "Calls of tools and agents by how they ended: ok, tool_error, refused, failed, timeout",
        ("protocol", "server", "tool", "outcome"),
        Source(tool, layout.TOOL_CALLS),
    )
    yield Metric(
        "routeiq_tool_call_seconds",
        "histogram",
        "Seconds from a call of a tool or agent to its end",
        ("protocol", "server", "tool"),
        (Source(tool, layout.tool_seconds.at),),
        buckets=layout.tool_seconds,
    )
    yield Metric(
        "routeiq_tool_cost_usd_total",
        "counter",
        "US dollars that calls of tools and agents cost",
        ("protocol", "server", "tool", "team"),
        (Source(tool, layout.TOOL_COST),),
        scale=_NANO,
    )


def _of_gates(layout: Layout) -> Iterator[Metric]:
    process = layout.process
    yield Metric(
        "routeiq_in_flight",
        "gauge",
        "Requests under way",
        (),
        computed=_sum(layout.worker, layout.IN_FLIGHT),
    )
    yield Metric(
        "routeiq_in_flight_most",
        "gauge",
        "Requests that may be under way at once",
        (),
        computed=_sum(layout.worker, layout.MOST_IN_FLIGHT),
    )
    yield _counter(
        "routeiq_shed_total", "Requests refused because too many were under way", (), Source(process, layout.SHED)
    )
    yield _counter(
        "routeiq_admissions_refused_total",
        "Requests refused before a provider was called, by gate and by who refused",
        ("stage", "status", "plugin"),
        Source(layout.refusal, 0),
    )
    yield _counter(
        "routeiq_guard_total",
        "Objections of guards: reject, replace, stop, fail",
        ("guard", "stage", "action"),
        Source(layout.guard, 0),
    )
    yield _counter("routeiq_events_total", "Events that plugins and the core told", ("event",), Source(layout.event, 0))


def _of_plugins(layout: Layout) -> Iterator[Metric]:
    for name, help, cell in (
        ("routeiq_hook_calls_total", "Calls of plugins", layout.CALLS),
        ("routeiq_hook_errors_total", "Failures of plugins", layout.ERRORS),
        ("routeiq_hook_seconds_total", "Seconds spent in plugins", layout.SECONDS),
    ):
        yield Metric(name, "counter", help, ("plugin", "hook"), (Source(layout.hook, cell),), zeros=True)


def _of_workers(layout: Layout) -> Iterator[Metric]:
    worker, process = layout.worker, layout.process
    yield _counter(
        "routeiq_telemetry_lost_total",
        "Events that no sink took in time, records that a sink failed to take",
        ("what",),
        Source(process, layout.EVENTS_LOST, fixed={"what": "events"}),
        Source(process, layout.RECORDS_LOST, fixed={"what": "records"}),
    )
    yield Metric(
        "routeiq_telemetry_waiting",
        "gauge",
        "Events that wait for sinks",
        (),
        computed=_sum(worker, layout.WAITING),
    )
    yield Metric(
        "routeiq_state_up",
        "gauge",
        "1 while all workers reach the shared store",
        ("store",),
        computed=lambda scene: [
            (labels, float(cells[layout.STORE_UP] >= cells[layout.ALIVE]))
            for labels, cells in scene.rows.get(worker, {}).items()
            if cells[layout.ALIVE]
        ],
    )
    yield Metric(
        "routeiq_label_sets",
        "gauge",
        "Label sets of requests in use, in all workers",
        (),
        computed=_sum(worker, layout.LABEL_SETS),
    )
    yield _counter(
        "routeiq_label_sets_folded_total",
        "Requests and attempts counted under `other`, because there were too many label sets",
        (),
        Source(process, layout.FOLDED),
    )
    yield Metric("routeiq_workers", "gauge", "Workers alive", (), computed=lambda scene: [((), float(scene.workers))])
    built = (_version("routeiq"), _version("routeiq-prometheus"), platform.python_version())
    yield Metric(
        "routeiq_build_info",
        "gauge",
        "1; the labels say what runs",
        ("version", "plugin_version", "python"),
        computed=lambda scene: [(built, 1.0)],
    )


def _counter(name: str, help: str, labels: Labels, *sources: Source) -> Metric:
    return Metric(name, "counter", help, labels, sources)


def _sum(family: Family, cell: int) -> Computed:
    return lambda scene: [((), scene.total(family, cell))]


def _of_deployments(
    scene: Scene, layout: Layout, cell: int, most: float = float("inf")
) -> Iterable[tuple[Labels, float]]:
    by_id = scene.by_first_label(layout.deployment, cell)
    for id in scene.places.all():
        yield (id,), min(by_id.get(id, 0.0), most)


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
