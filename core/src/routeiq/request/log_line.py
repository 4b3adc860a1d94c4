"""The log's one line about a request that is not the road's; those of the road are told by their record.

What is logged beside it is said where it happens.
"""

from __future__ import annotations

from typing import Any

import structlog

from routeiq_sdk import Context

log = structlog.get_logger("routeiq.app")


def log_line(ctx: Context, status: int, *, quiet: bool = False, **more: Any) -> None:
    """Write it, `quiet` for what is asked all the time, with `more` at its end."""
    write = log.debug if quiet else log.info
    write(
        "request",
        request_id=ctx.request_id,
        method=ctx.method,
        route=ctx.route,
        status=status,
        ms=round(ctx.elapsed_ms(), 1),
        principal=ctx.identified.id if ctx.identified is not None else None,
        client=ctx.client,
        **more,
    )
