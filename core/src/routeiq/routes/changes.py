"""Tells `commit` hooks of every change that a caller asks for: before it is done, and before it is acknowledged.

A change whose first event cannot be made durable is not done. Where the second one cannot be, the caller is told so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import orjson

from routeiq.config.secret_names import holds_secrets, names_a_secret
from routeiq.plugins.compiled import Pipeline
from routeiq.routes.exchange import Exchange
from routeiq.routes.table import Route
from routeiq.telemetry.logs import mask
from routeiq_sdk import RequestError
from routeiq_sdk.events import AdminV1
from routeiq_sdk.events.contract import moment
from routeiq_sdk.secret import MASK
from routeiq_sdk.values.http import HttpResponse

_READING = frozenset({"read", "list", "preview", "test", "send", "call"})
_KEY_FIELDS = frozenset({"key", "keys", "old_key", "new_key"})
_MOST_TEXT = 256
_MOST_FIELDS = 64
_MOST_ANSWER = 64 * 1024


def audited(route: Route, pipeline: Pipeline) -> bool:
    """Whether somebody wants to be told of a request to this route."""
    return (
        bool(pipeline.commit or pipeline.emit) and bool(route.action) and route.action.partition(":")[2] not in _READING
    )


async def announce(exchange: Exchange, route: Route) -> None:
    """Tell of the change that is asked for, and see to it that its outcome is told. Raises `RequestError`."""
    asked = _fields(await exchange.body())
    targets = dict(_ids(asked)) | dict(_ids(exchange.query())) | dict(exchange.params)
    await _commit(exchange, route, "asked", 0, targets, _shown(asked))

    async def conclude(response: HttpResponse) -> None:
        failed = response.status >= 400
        told = _fields(response.body) if isinstance(response.body, bytes) and len(response.body) < _MOST_ANSWER else {}
        error = told.get("error", told.get("detail")) if failed else None
        message = error.get("message") if isinstance(error, Mapping) else error
        try:
            await _commit(
                exchange,
                route,
                "failed" if failed else "done",
                response.status,
                targets | dict(_ids(told)),
                _shown(asked),
                error=mask(str(message))[:_MOST_TEXT] if message else None,
            )
        except RequestError as lost:
            if failed:
                return  # nothing was changed, and the caller hears why
            raise RequestError(
                503,
                f"The change was made, but its audit event could not be written: {lost.message} Look before you retry.",
                type="audit_unavailable",
            ) from None

    exchange.before_answer = conclude


async def _commit(
    exchange: Exchange,
    route: Route,
    phase: Literal["asked", "done", "failed"],
    status: int,
    target: Mapping[str, str],
    changes: Mapping[str, Any],
    error: str | None = None,
) -> None:
    ctx, services = exchange.ctx, exchange.runtime.services
    principal = ctx.principal
    event = AdminV1(
        event_id=f"{ctx.request_id}-{phase}",
        timestamp_utc=moment(ctx.received_at),
        request_id=ctx.request_id,
        trace_id=ctx.trace.trace_id,
        phase=phase,
        action=route.action,
        method=route.method,
        route=route.path,
        status=status,
        principal=principal.id,
        principal_kind=principal.kind,
        user=principal.user,
        team=principal.team,
        client=ctx.client,
        target=target,
        changes=changes,
        error=error,
    )
    await services.commit(event.event(ctx.received_at), ctx)


def _fields(body: bytes) -> Mapping[str, Any]:
    try:
        told = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def _ids(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What names a thing: its id. Whole keys are secrets and never among them."""
    for name, value in list(told.items())[:_MOST_FIELDS]:
        if (name == "id" or name.endswith(("_id", "_alias"))) and isinstance(value, str):
            yield name, mask(value)[:_MOST_TEXT]


def _shown(value: Any, name: str = "") -> Any:
    if name in _KEY_FIELDS or names_a_secret(name) or holds_secrets(name):
        return MASK
    if isinstance(value, Mapping):
        return {str(key): _shown(each, str(key)) for key, each in list(value.items())[:_MOST_FIELDS]}
    if isinstance(value, list):
        return [_shown(each, name) for each in value[:_MOST_FIELDS]]
    return mask(value)[:_MOST_TEXT] if isinstance(value, str) else value
