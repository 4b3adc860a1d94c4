"""All metrics, in the order in which they are shown. What each is lies in `own_metrics` and `litellm_metrics`."""

from __future__ import annotations

from routeiq_prometheus.config import PrometheusConfig
from routeiq_prometheus.layout import Layout
from routeiq_prometheus.litellm_metrics import litellm_metrics
from routeiq_prometheus.metric import Metric
from routeiq_prometheus.own_metrics import own_metrics


def catalogue(config: PrometheusConfig, layout: Layout) -> tuple[Metric, ...]:
    """The metrics of a configuration."""
    return (*own_metrics(layout), *litellm_metrics(config, layout))
