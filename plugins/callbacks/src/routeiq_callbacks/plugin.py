"""The callbacks plugin: takes finished requests and hands them to the queues of its targets.

Without a target it only looks whether a key or team names one of its own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import structlog

from routeiq_callbacks.config import CallbacksConfig, LangfuseTarget
from routeiq_callbacks.finished import Finished, Texts
from routeiq_callbacks.opening import target_of
from routeiq_callbacks.payload import Shape
from routeiq_callbacks.telling import Telling
from routeiq_callbacks.tenants import Tenants
from routeiq_callbacks.wanted import wanted, without_effect
from routeiq_sdk import Context, Gateway, Need, Plugin, Record, StreamFilter, hookimpl
from routeiq_sdk.messages import Messages
from routeiq_sdk.values.health import Health

log = structlog.get_logger("routeiq.callbacks")

_FAREWELL_SECONDS = 4.0
_MIB = 1024 * 1024
_VECTORS = "embeddings"
"""The surface whose answers are numbers: no text, and much of it."""


class Callbacks(Plugin[CallbacksConfig]):
    """Tells finished requests to Langfuse, webhooks, buckets and Datadog."""

    needs = frozenset({Need.READS_RESPONSE, Need.READS_STREAM_TEXT})
    after = frozenset(
        {"guard-pii", "guard-secrets", "guard-injection", "guard-content", "guard-external", "litellm-hooks"}
    )
    """What clients do not see is not told, so guards come first."""

    def __init__(self, config: CallbacksConfig) -> None:
        super().__init__(config)
        self._unset: list[str] = []
        targets = wanted(config, os.environ, self._unset)
        projects = [each for each in targets if isinstance(each, LangfuseTarget)]
        operators = [each for each in projects if not each.teams]
        made = {id(each): Telling(target_of(each), each.on, config.most_waiting, each.teams) for each in targets}
        self._tellings = tuple(made.values())
        self._teams = tuple(made[id(each)] for each in projects if each.teams)
        self._everybodys = tuple(made[id(each)] for each in operators)
        self._others = tuple(made[id(each)] for each in targets if not isinstance(each, LangfuseTarget))
        self._tenants = Tenants(operators) if config.per_key_targets else None
        self._messages = Messages(config.messages, turned_off=config.turn_off_message_logging)
        self._texts = Texts(self._messages, config.most_text_mib * _MIB)
        self._gateway: Gateway | None = None
        self._shape = Shape(
            self._messages,
            redact_callers=config.redact_user_api_key_info,
            excluded=frozenset(config.excluded_fields),
            api_base=self._api_base,
        )

    @property
    def idle_hooks(self) -> frozenset[str]:
        idle: set[str] = set()
        nobody = not self._tellings and self._tenants is None
        if self._messages.never or nobody:
            idle |= {"stream_filter", "guard_response"}
        if nobody:
            idle.add("record")
        return frozenset(idle)

    @property
    def origins(self) -> Iterable[str]:
        return [url for telling in self._tellings for url in telling.target.origins]

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        self._gateway = gateway
        for name in without_effect(self.config):
            log.warning("a setting has no effect", setting=f"litellm_settings.{name}")
        for problem in self._unset:
            log.error("a callback is not served", reason=problem)
        for telling in self._tellings:
            await telling.target.open()
        for telling in self._tellings:
            telling.open(gateway)
        if self._tenants is not None:
            self._tenants.open(gateway)

    @hookimpl
    async def teardown(self) -> None:
        closing = [telling.close(_FAREWELL_SECONDS) for telling in self._tellings]
        if self._tenants is not None:
            closing.append(self._tenants.close(_FAREWELL_SECONDS))
        await asyncio.gather(*closing)

    @hookimpl
    async def health_check(self) -> Health:
        problems = [*self._unset, *(telling.problem for telling in self._tellings if telling.problem)]
        return Health("degraded", "; ".join(problems)) if problems else Health()

    @hookimpl
    def stream_filter(self, ctx: Context) -> StreamFilter | None:
        return self._messages.watch_stream(ctx)

    @hookimpl
    async def guard_response(self, ctx: Context, response: Mapping[str, Any]) -> None:
        if ctx.surface != _VECTORS:
            self._messages.keep_answer(ctx, response)

    @hookimpl
    def record(self, ctx: Context, record: Record) -> None:
        tenants = self._tenants
        own = tenants.named(ctx.identified) if tenants is not None else []
        if not own and not self._tellings:
            return
        finished = Finished(ctx, record, self._shape, self._texts)
        _put(self._others, finished)
        # As in LiteLLM, a project of one's own takes the place of everybody's.
        if not (tenants is not None and tenants.put(own, finished)) and not _put(self._teams, finished):
            _put(self._everybodys, finished)

    def _api_base(self, record: Record) -> str | None:
        group = self._gateway.groups.get(record.group or "") if self._gateway is not None else None
        for deployment in group.deployments if group is not None else ():
            if deployment.id == record.deployment_id and deployment.api_base:
                parts = urlsplit(deployment.api_base)  # a query or user in it could be a secret
                return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        return None


def _put(tellings: Iterable[Telling], finished: Finished) -> bool:
    """Queue a request for those that take such; whether one did."""
    takers = [telling for telling in tellings if telling.takes(finished)]
    for telling in takers:
        telling.put(finished)
    return bool(takers)
