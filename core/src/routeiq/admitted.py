"""Requests that come to a plugin's own listener: they are counted, identified and permitted as those of a route are.

What the plugin speaks there, and how it tells a refusal, is its own business.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from routeiq.limits.in_flight import Place
from routeiq.request.auth import secret_credential
from routeiq.request.context import RequestContext
from routeiq.request.ids import new_request_id
from routeiq.request.log_line import log_line
from routeiq_sdk import Context, RequestError
from routeiq_sdk.values.http import Headers

if TYPE_CHECKING:
    from routeiq.runtime import Runtime
    from routeiq.shared import Shared

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
        credential=secret_credential(headers, runtime.services.key_header),
    )
    place = Place(shared.in_flight)
    status = _FAILED
    runtime.users.enter()
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
        runtime.users.leave()
        log_line(ctx, status)


async def _permitted(runtime: Runtime, ctx: RequestContext) -> None:
    try:
        ctx.identify(await runtime.road.identify(ctx))
        await runtime.road.permit(ctx)
    except RequestError as error:
        raise await runtime.road.tell_refused(ctx, error) from None
    ctx.stage = "serve"
