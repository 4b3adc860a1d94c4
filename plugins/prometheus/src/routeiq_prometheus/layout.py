"""The families of this plugin, with the labels and cells that a configuration gives them.

Who writes into the cells is `recorder` and `watch`; who reads them is `catalogue`.
"""

from __future__ import annotations

import hashlib
import json

from routeiq_prometheus.config import PrometheusConfig
from routeiq_prometheus.custom import CustomLabels
from routeiq_prometheus.families import Family, Width

LATENCY_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 420, 600)
"""LiteLLM's bounds of latencies, in seconds."""
PER_TOKEN_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""The Prometheus client's default bounds, which LiteLLM uses for seconds a token."""
TOKEN_GAP_BOUNDS = (0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2.5)
COST_BOUNDS = (1e-05, 3e-05, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10)
ROUTING_BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
TOOL_BOUNDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)
"""Those that OpenTelemetry advises for operations of MCP."""
CANDIDATE_BOUNDS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)

CALLER = (
    *("hashed_api_key", "api_key_alias", "team", "team_alias", "user", "user_email", "org_id", "org_alias"),
    *("end_user", "client_ip", "user_agent"),
)
TOOL_CALLER = ("hashed_api_key", "api_key_alias", "team", "user")
TARGET = ("requested_model", "model_group", "model", "model_id", "api_base", "api_provider")
_FEW = 1000
"""Rows of families whose labels come from the configuration."""


class Layout:
    """All families of one configuration. Attributes named in capitals are cells within a row."""

    REQUESTS, ANSWERED, COST, INPUT, OUTPUT, CACHED, CACHE_WRITE, REASONING = range(8)
    ATTEMPTS, ATTEMPTS_COST = range(2)
    CALLS, ERRORS, SECONDS = range(3)
    TOOL_CALLS, TOOL_COST = range(2)
    SHED, EVENTS_LOST, RECORDS_LOST, FOLDED = range(4)
    ALIVE, IN_FLIGHT, MOST_IN_FLIGHT, WAITING, STORE_UP, LABEL_SETS = range(6)
    BENCHED, RUNNING = range(2)
    TOLD_AT, LEFT, LIMIT, RESETS_AT = range(4)

    def __init__(self, config: PrometheusConfig) -> None:
        most = config.most_series
        latency = config.latency_buckets or LATENCY_BOUNDS
        facts = ("status_code", "exception_class", "route", "stream")
        self.custom = CustomLabels(config, frozenset((*CALLER, *TARGET, *facts, "le")))
        extra = self.custom.names
        own, asked = frozenset((*CALLER, *extra)), frozenset(("requested_model", "model_group", "model"))
        width = Width(8)
        self.total = width.buckets(latency)
        self.provider = width.buckets(latency)
        self.provider_first = width.buckets(latency)
        self.first_token = width.buckets(latency)
        self.overhead = width.buckets(latency)
        self.per_token = width.buckets(PER_TOKEN_BOUNDS)
        self.token_gap = width.buckets(TOKEN_GAP_BOUNDS)
        self.task_cost = width.buckets(COST_BOUNDS)
        self.request = Family("request", (*CALLER, *extra, *TARGET, *facts), width.cells, most, own, asked)
        failure = ("exception_status", "exception_class")
        self.attempt = Family("attempt", (*CALLER, *extra, *TARGET, *failure, "kind"), 2, most, own, asked)
        switch = ("fallback_model", *failure, "model_id", "outcome")
        labels = (*CALLER, *extra, "requested_model", *switch)
        self.fallback = Family("fallback", labels, 1, most, own, asked | {"fallback_model"})
        width = Width(1)
        self.routing = width.buckets(ROUTING_BOUNDS)
        self.candidates = width.buckets(CANDIDATE_BOUNDS)
        self.decision = Family("decision", ("strategy", "model"), width.cells, _FEW)
        width = Width(2)
        self.tool_seconds = width.buckets(TOOL_BOUNDS)
        labels = ("protocol", "server", "tool", "outcome", *TOOL_CALLER)
        self.tool = Family("tool", labels, width.cells, most, frozenset(TOOL_CALLER))
        self.refusal = Family("refusal", ("stage", "status", "plugin"), 1, _FEW)
        self.guard = Family("guard", ("guard", "stage", "action"), 1, _FEW)
        self.event = Family("event", ("event",), 1, _FEW)
        self.hook = Family("hook", ("plugin", "hook"), 3, _FEW)
        self.process = Family("process", (), 4, 2)
        self.worker = Family("worker", ("store",), 6, 10, live=True)
        place = ("model_id", "model", "api_base", "api_provider")
        self.deployment = Family("deployment", place, 2, most, live=True)
        self.cooled = Family("cooled", (*place, "exception_status"), 1, most)
        self.budget = Family("budget", ("scope", "id", "alias"), 4, most, newest=True)
        self.families = tuple(value for value in vars(self).values() if isinstance(value, Family))

    @property
    def cells(self) -> int:
        """How many cells all rows together can take."""
        return sum(family.most * family.width for family in self.families)

    def fingerprint(self) -> str:
        """Names the layout: only workers with the same one can read one another's rows."""
        told = [[f.name, f.labels, f.width, f.most] for f in self.families], self.total.bounds
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
