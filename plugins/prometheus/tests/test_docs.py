"""The page about the metrics and the code name the same ones, with the same labels."""

from __future__ import annotations

from pathlib import Path

from routeiq_prometheus.catalogue import catalogue
from routeiq_prometheus.config import PrometheusConfig
from routeiq_prometheus.layout import Layout
from routeiq_prometheus.metric import Metric

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "prometheus.md"


def line(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |"


def test_the_tables_of_the_page_are_the_metrics_of_the_code() -> None:
    config = PrometheusConfig()
    expected = [line(metric) for metric in catalogue(config, Layout(config))]
    written = [
        row for row in PAGE.read_text(encoding="utf-8").splitlines() if row.startswith(("| `routeiq_", "| `litellm_"))
    ]
    written = [row for row in written if row.count("|") == 5]
    assert written == expected, "the page should have these lines:\n" + "\n".join(expected)


def test_every_setting_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, field in PrometheusConfig.model_fields.items():
        keys = [mark.key.rpartition(".")[2] for mark in field.metadata if hasattr(mark, "key")]
        assert f"`{(keys or [name])[0]}" in page, f"{name} is not on the page"
