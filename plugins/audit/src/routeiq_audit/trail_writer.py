"""The parts of one worker's trail, put together: spool, writer, sealer, outbox, shippers.

What each of them does is told there.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import structlog

from routeiq_audit.config import AuditConfig
from routeiq_audit.durable import create_once, make_folders
from routeiq_audit.entry import Entries, Entry, class_of
from routeiq_audit.outbox import Outbox
from routeiq_audit.retention import Retention
from routeiq_audit.sealing import Sealer
from routeiq_audit.shipping import Shipper
from routeiq_audit.signing import Signer
from routeiq_audit.sinks.file import FileSink
from routeiq_audit.sinks.opening import sink_of
from routeiq_audit.writer import Writer
from routeiq_sdk import Attempt, Context, Event, Gateway, PluginError, Record, Reject, RequestError, SpoolFailed
from routeiq_sdk.values.health import Health

log = structlog.get_logger("routeiq.audit")

_HIGH_WATER = 0.8
_RETRY_AFTER = 5.0
_FLUSH_SECONDS = 3.0
_SHIP_SECONDS = 3.0


class TrailWriter:
    """One worker's trail. `open` before anything else."""

    def __init__(self, config: AuditConfig) -> None:
        self._config = config
        self._entries = Entries(config.tenant_by)
        self._sinks = tuple(sink_of(sink) for sink in config.sinks)
        names = [sink.name for sink in self._sinks]
        if len(set(names)) < len(names):
            raise PluginError("audit", "two sinks are the same place", mend="leave one of them out")
        self._shippers: tuple[Shipper, ...] = ()
        self._above = False

    @property
    def origins(self) -> Iterable[str]:
        """URLs of the operator that the sinks call."""
        return [url for sink in self._sinks for url in sink.origins]

    async def open(self, gateway: Gateway) -> None:
        """Open the spool, go on where sealing stopped, begin to ship. Raises `PluginError`."""
        folder = (self._config.spool or gateway.data_dir / "spool").absolute()
        try:
            identity, signer = await asyncio.to_thread(_identity, folder, self._config)
            self._spool = await gateway.spool("events", directory=folder, most_bytes=self._config.spool_bytes)
            outbox = Outbox(folder / f"outbox-{gateway.worker}")
            progress = await asyncio.to_thread(outbox.open)
        except (OSError, SpoolFailed) as error:
            mend = "one gateway alone may use a spool; see that the disk is there and writable"
            raise PluginError("audit", f"the spool in {folder} cannot be opened: {error}", mend=mend) from error
        async with AsyncExitStack() as opened:
            for sink in self._sinks:
                await sink.open(gateway)
                opened.push_async_callback(sink.close)
            opened.pop_all()  # all are open: `close` has them now
        seal = self._config.seal
        self._sealer = Sealer(
            f"{identity}-{gateway.worker}",
            self._spool,
            outbox,
            progress,
            signer,
            gateway.clock,
            bytes=seal.bytes,
            seconds=seal.seconds,
            outbox_bytes=self._config.outbox_bytes,
            sealed=self._look,
        )
        self._writer = Writer(
            self._spool,
            self._of_record,
            self._sealer.arrived,
            drops=self._config.on_full == "drop_oldest",
            linger_seconds=self._config.buffer_seconds,
        )
        self._shippers = tuple(Shipper(sink, outbox, [each.name for each in self._sinks]) for sink in self._sinks)
        gateway.spawn("write events", self._writer.run)
        gateway.spawn("seal", self._sealer.run)
        for sink, shipper in zip(self._sinks, self._shippers, strict=True):
            gateway.spawn(f"ship to {sink.name}", shipper.run)
        if self._config.retention is not None:
            folders = [sink.folder for sink in self._sinks if isinstance(sink, FileSink)]
            retention = Retention(folders, self._config.retention.days, signer, gateway.clock)
            gateway.spawn("retention", retention.run)

    async def close(self) -> None:
        """Write and seal what waits and ship for a moment; the rest is shipped after the next start."""
        if not self._shippers:
            return
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self._writer.write_all()
                await self._sealer.seal_all()
        except (TimeoutError, OSError, SpoolFailed) as error:
            log.warning("audit events stay in the spool", reason=f"{type(error).__name__}: {error}")
        try:
            async with asyncio.timeout(_SHIP_SECONDS):
                await asyncio.gather(*(shipper.ship_all() for shipper in self._shippers))
        except TimeoutError:
            pass
        for sink in self._sinks:
            await sink.close()

    async def commit(self, event: Event) -> None:
        """Write an event as its class asks. Raises `RequestError` when it has to be on disk and cannot be."""
        mode = self._mode(class_of(event.name, event.payload))
        if mode == "off":
            return
        entry = self._entries.of_event(event)
        if mode == "buffered":
            self._writer.later(entry)
            return
        try:
            await self._writer.now((entry,))
        except SpoolFailed as error:
            log.error("an action was refused: its audit event could not be written", told=event.name, reason=str(error))
            raise _unavailable() from error

    async def emit(self, events: Sequence[Event]) -> None:
        """Write events that nobody waits for, soon."""
        for event in events:
            if self._mode(class_of(event.name, event.payload)) != "off":
                self._writer.later(self._entries.of_event(event))

    def record(self, record: Record) -> None:
        """Write what a finished request tells, soon."""
        self._writer.later(record)

    async def before_attempt(self, ctx: Context, attempt: Attempt) -> Reject | None:
        """Refuse a call that could not be written down: its beginning when requests are `closed`, its end else."""
        if self._config.classes.request != "closed":
            return _refusal() if self._writer.full else None
        try:
            await self._writer.now((self._entries.of_attempt(ctx, attempt),))
        except SpoolFailed as error:
            log.error("a call was refused: its audit event could not be written", reason=str(error))
            return _refusal()
        return None

    def health(self) -> Health:
        """`degraded` while something does not go on; nothing is lost meanwhile."""
        high = self._spool.size > _HIGH_WATER * self._config.spool_bytes
        if high != self._above:
            self._above = high
            write = log.warning if high else log.info
            write("the audit spool is above its high water mark" if high else "the audit spool is low again")
        problems = [self._writer.problem, self._sealer.problem, *(shipper.problem for shipper in self._shippers)]
        if high:
            problems.append(f"the spool holds {self._spool.size} of {self._config.spool_bytes} bytes")
        if self._writer.dropped:
            problems.append(f"{self._writer.dropped} events were dropped")
        found = "; ".join(problem for problem in problems if problem)
        return Health("degraded", found) if found else Health()

    def _mode(self, kind: str) -> str:
        mode: str = getattr(self._config.classes, kind)
        return mode

    def _of_record(self, record: Record) -> Iterable[Entry]:
        classes = self._config.classes
        return self._entries.of_record(record, guards=classes.guard != "off", requests=classes.request != "off")

    def _look(self) -> None:
        for shipper in self._shippers:
            shipper.look()


def _identity(folder: Path, config: AuditConfig) -> tuple[str, Signer]:
    """The name of this gateway's streams, made once a spool, and its key."""
    make_folders(folder)
    path = folder / "gateway-id"
    if not path.exists():
        create_once(path, f"g{secrets.token_hex(4)}".encode())
    return path.read_text().strip(), Signer.open(config.signing_key, folder / "keys")


def _unavailable() -> RequestError:
    return RequestError(
        503,
        "The audit event of this action cannot be written, so the action was refused. Try again later.",
        type="audit_unavailable",
        headers={"retry-after": f"{_RETRY_AFTER:g}"},
    )


def _refusal() -> Reject:
    return Reject(
        503,
        "Audit events cannot be written now, so no model is called. Try again later.",
        type="audit_unavailable",
        retry_after=_RETRY_AFTER,
    )
