"""The audit plugin: its hooks, each handed to the part that knows.

What is written, where and how is decided by the parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from routeiq_audit.config import AuditConfig
from routeiq_sdk import Attempt, Context, Event, Gateway, Plugin, Record, Reject, hookimpl
from routeiq_sdk.values.health import Health

if TYPE_CHECKING:
    from routeiq_audit.trail_writer import TrailWriter


class Audit(Plugin[AuditConfig]):
    """A durable, tamper-evident audit trail."""

    after = frozenset({"governance"})
    exclusive = frozenset({"audit"})

    def __init__(self, config: AuditConfig) -> None:
        super().__init__(config)
        self._made: TrailWriter | None = None

    @property
    def _trail(self) -> TrailWriter:
        """Made when first needed: its libraries are heavy, and listing plugins must not load them."""
        if self._made is None:
            from routeiq_audit.trail_writer import TrailWriter

            self._made = TrailWriter(self.config)
        return self._made

    @property
    def idle_hooks(self) -> frozenset[str]:
        classes = self.config.classes
        idle = set()
        if classes.request == "off" and classes.guard == "off":
            idle.add("record")
        if classes.request != "closed" and (self.config.on_full == "drop_oldest" or "record" in idle):
            idle.add("before_attempt")
        return frozenset(idle)

    @property
    def origins(self) -> Iterable[str]:
        return self._trail.origins

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        await self._trail.open(gateway)

    @hookimpl
    async def teardown(self) -> None:
        if self._made is not None:
            await self._made.close()

    @hookimpl
    async def health_check(self) -> Health:
        return self._trail.health()

    @hookimpl
    async def before_attempt(self, ctx: Context, attempt: Attempt) -> Reject | None:
        return await self._trail.before_attempt(ctx, attempt)

    @hookimpl
    def record(self, ctx: Context, record: Record) -> None:
        self._trail.record(record)

    @hookimpl
    async def commit(self, event: Event) -> None:
        await self._trail.commit(event)

    @hookimpl
    async def emit(self, events: Sequence[Event]) -> None:
        await self._trail.emit(events)
