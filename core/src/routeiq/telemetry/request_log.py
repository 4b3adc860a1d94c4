"""The one log line of a request.

Records for audit and learning go another way; see `routeiq.request.record`.
"""

from __future__ import annotations

import structlog

from routeiq_sdk import Context, Record

log = structlog.get_logger("routeiq.request")


def log_request(ctx: Context, record: Record) -> None:
    """Write the line. It names no prompt, no answer and no key."""
    usage = record.usage
    line = {
        "request_id": record.request_id,
        "route": record.route,
        "status": record.status,
        "ms": round(record.latency_ms, 1),
        "principal": record.principal,
        "asked": record.requested_model,
        "group": record.group,
        "model": record.model,
        "deployment": record.deployment_id,
        "attempts": len(record.attempts),
        "stream": record.stream,
        "in_tokens": usage.input_tokens if usage is not None else None,
        "out_tokens": usage.output_tokens if usage is not None else None,
        "nano_usd": record.cost,
        "client": ctx.client,
    }
    if record.error_type is not None:
        line["error_type"] = record.error_type
        line["error"] = record.error
    if record.status >= 500:
        log.warning("request", **line)
    else:
        log.info("request", **line)
