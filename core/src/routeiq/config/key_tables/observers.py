"""Which plugin serves each of LiteLLM's callbacks that observe: traces, metrics, log destinations.

Those that check requests are in `guardrails`. Facts only.
"""

from __future__ import annotations

OBSERVERS = {
    "otel": "otel",
    "arize": "otel",
    "arize_phoenix": "otel",
    "langfuse_otel": "otel",
    "prometheus": "prometheus",
    "langfuse": "callbacks",
    "generic": "callbacks",
    "generic_api": "callbacks",
    "webhook": "callbacks",
    "s3": "callbacks",
    "s3_v2": "callbacks",
    "gcs_bucket": "callbacks",
    "datadog": "callbacks",
}
"""By callback name. Names that are not here have no effect."""
