"""The contract of plugins, kept."""

from __future__ import annotations

from routeiq_prometheus.plugin import Prometheus
from routeiq_sdk.testing import PluginContract


class TestPrometheus(PluginContract):
    plugin = Prometheus
    name = "prometheus"
    group = "routeiq.sinks"
    config = {"most_series": 100}
