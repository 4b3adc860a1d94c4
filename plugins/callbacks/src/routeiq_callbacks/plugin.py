"""The callbacks plugin: takes finished requests and hands them to the queues of its targets.

Without a target it has no hooks.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from routeiq_callbacks.config import CallbacksConfig
from routeiq_callbacks.payload import Finished, Shape
from routeiq_callbacks.telling import Telling, target_of
from routeiq_callbacks.tenants import Tenants
from routeiq_callbacks.wanted import wanted
from routeiq_sdk import Context, Gateway, Need, Plugin, Record, StreamFilter, hookimpl
from routeiq_sdk.messages import Messages
from routeiq_sdk.values.health import Health

_FAREWELL_SECONDS = 4.0


class Callbacks(Plugin[CallbacksConfig]):
    """Tells finished requests to Langfuse, webhooks, buckets and Datadog."""

    needs = frozenset({Need.READS_RESPONSE, Need.READS_STREAM_TEXT})
    after = frozenset({"guard-pii", "guard-secrets", "guard-injection", "guard-content", "guard-external"})

    def __init__(self, config: CallbacksConfig) -> None:
        super().__init__(config)
        targets = wanted(config, os.environ)
        self._tellings = tuple(Telling(target_of(each), each.on, config.most_waiting) for each in targets)
        self._tenants = Tenants() if config.per_key_targets else None
        self._messages = Messages(config.messages, turned_off=config.turn_off_message_logging)
        self._shape = Shape(
            self._messages,
            redact_callers=config.redact_user_api_key_info,
            excluded=frozenset(config.excluded_fields),
        )

    @property
    def idle_hooks(self) -> frozenset[str]:
        return frozenset({"stream_filter", "guard_response"}) if self._messages.never else frozenset()

    @property
    def origins(self) -> Iterable[str]:
        return [url for telling in self._tellings for url in telling.target.origins]

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        for telling in self._tellings:
            telling.open(gateway)
        if self._tenants is not None:
            self._tenants.open(gateway)

    @hookimpl
    async def teardown(self) -> None:
        for telling in self._tellings:
            await telling.close(_FAREWELL_SECONDS / max(1, len(self._tellings)))
        if self._tenants is not None:
            await self._tenants.close(1.0)

    @hookimpl
    async def health_check(self) -> Health:
        problems = [telling.problem for telling in self._tellings if telling.problem]
        return Health("degraded", "; ".join(problems)) if problems else Health()

    @hookimpl
    def stream_filter(self, ctx: Context) -> StreamFilter | None:
        return self._messages.watch_stream(ctx)

    @hookimpl
    async def guard_response(self, ctx: Context, response: Mapping[str, Any]) -> None:
        self._messages.keep_answer(ctx, response)

    @hookimpl
    def record(self, ctx: Context, record: Record) -> None:
        finished = Finished(ctx, record, self._shape)
        for telling in self._tellings:
            telling.put(finished)
        if self._tenants is not None:
            self._tenants.put(finished)
