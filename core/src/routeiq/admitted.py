"""Requests that come to a plugin's own listener: they are counted, identified and permitted as those of a route are.

What the plugin speaks there, and how it tells a refusal, is its own business.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog

from routeiq.limits.in_flight import Place
from routeiq.request.auth import credential
from routeiq.request.context import RequestContext
from routeiq.request.ids import new_request_id
from routeiq_sdk import Context, RequestError, Secret
from routeiq_sdk.values.http import Headers

if TYPE_CHECKING:
    from routeiq.runtime import Runtime
    from routeiq.shared import Shared

log = structlog.get_logger("routeiq.admitted")

_RETRY_SECONDS = 1.0
_SERVED, _GONE, _FAILED = 200, 499, 500


@asynccontextmanager
async def admitted(
    shared: Shared, door: str, headers: Headers, *, action: str, client: str | None, long_lived: bool
) -> AsyncIterator[Context]:
    """See `routeiq_sdk.Gateway.admitted`. All of it happens in the task that enters it."""
    runtime = shared.current
    if runtime is None or shared.drain.draining:
        raise RequestError(503, "The gateway starts or stops; try another replica.", type="overloaded_error")
    told = credential(headers, runtime.services.key_header)
    ctx = RequestContext(
        request_id=new_request_id(),
        surface="none",
        route=door,
        method="POST",
        path=door,
        headers=headers,
        client=client,
        config=runtime.config.revision,
        action=action,
        credential=Secret(told) if told is not None else None,
    )
    place = Place(shared.in_flight)
    status = _FAILED
    runtime.users += 1
    try:
        with shared.drain.counted():
            if not place.enter():
                raise runtime.services.errors.overloaded(_RETRY_SECONDS)
            await _permitted(runtime, ctx)
            if long_lived:
                place.leave()
            yield ctx
        status = _SERVED
    except RequestError as error:
        status = error.status
        raise
    except (asyncio.CancelledError, GeneratorExit):
        status = _GONE
        raise
    finally:
        place.leave()
        runtime.users -= 1
        if not runtime.users:
            runtime.idle.set()
        _log(ctx, status)


async def _permitted(runtime: Runtime, ctx: RequestContext) -> None:
    try:
        ctx.identify(await runtime.road.identify(ctx))
        await runtime.road.permit(ctx)
    except RequestError as error:
        raise await runtime.road.tell_refused(ctx, error) from None
    ctx.stage = "serve"


def _log(ctx: RequestContext, status: int) -> None:
    log.info(
        "request",
        request_id=ctx.request_id,
        method=ctx.method,
        route=ctx.route,
        status=status,
        ms=round(ctx.elapsed_ms(), 1),
        principal=ctx.identified.id if ctx.identified is not None else None,
        client=ctx.client,
    )
