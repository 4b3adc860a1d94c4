"""Turns what lies in the spool into sealed objects, in order, each entry once.

Why twice is impossible is written at `outbox`; who ships objects is `shipping`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from routeiq_audit.chain import Head, chained
from routeiq_audit.entry import Entry, unpacked
from routeiq_audit.making import make_sealed
from routeiq_audit.outbox import Outbox, Progress
from routeiq_audit.sealed import Sealed
from routeiq_audit.signing import Signer
from routeiq_sdk.events.contract import moment

if TYPE_CHECKING:
    from routeiq_sdk.gateway import Clock, SpoolService

log = structlog.get_logger("routeiq.audit")

_LOOK_SECONDS = 0.5


class Sealer:
    """One worker's sealer. `sealed` is called after each batch."""

    def __init__(
        self,
        stream: str,
        spool: SpoolService,
        outbox: Outbox,
        progress: Progress,
        signer: Signer,
        clock: Clock,
        *,
        bytes: int,
        seconds: float,
        outbox_bytes: int,
        sealed: Callable[[], None],
    ) -> None:
        self._stream = stream
        self._spool = spool
        self._outbox = outbox
        self._progress = progress
        self._signer = signer
        self._clock = clock
        self._bytes = bytes
        self._seconds = seconds
        self._outbox_bytes = outbox_bytes
        self._sealed = sealed
        self._waiting_bytes = 0
        self._oldest: float | None = None
        self._ripe = asyncio.Event()
        self._turn = asyncio.Lock()
        self.problem = ""
        """Why nothing is sealed now, if so."""

    def arrived(self, size: int, number: int | None = None) -> None:
        """So many bytes are in the spool now that were not, in the entry with this number."""
        if number is not None and number <= self._progress.spool:
            log.error(
                "the audit spool began anew: its folder was lost, with what was not sealed", sealed=self._progress.spool
            )
            self._progress = replace(self._progress, spool=0)
        self._waiting_bytes += size
        if self._oldest is None:
            self._oldest = self._clock.monotonic()
            self._ripe.set()
        elif self._waiting_bytes >= self._bytes:
            self._ripe.set()

    async def run(self) -> None:
        """Seal for ever: when enough has come together, or when the oldest has waited long enough."""
        self.arrived(1)  # there may be something from before
        while True:
            await self._ripe.wait()
            self._ripe.clear()
            while self._oldest is not None:
                left = self._oldest + self._seconds - self._clock.monotonic()
                if left > 0 and self._waiting_bytes < self._bytes:
                    await self._wait(left)
                    continue
                try:
                    await self.seal_all()
                except Exception as error:
                    self._tell(f"sealing failed: {type(error).__name__}: {error}")
                    await asyncio.sleep(_LOOK_SECONDS)

    async def seal_all(self) -> None:
        """Seal everything that is in the spool now. Raises `OSError` when the disk does not take it."""
        async with self._turn:
            self._waiting_bytes, self._oldest = 0, None
            try:
                while await self._seal_some():
                    pass
            except BaseException:
                self._oldest = self._clock.monotonic()
                raise
            self._tell("")

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(min(seconds, _LOOK_SECONDS)):
                await self._ripe.wait()
                self._ripe.clear()
        except TimeoutError:
            pass

    async def _seal_some(self) -> bool:
        """Seal up to the bound of one object; says whether there may be more."""
        if self._outbox.size >= self._outbox_bytes:
            raise OSError(f"the sinks are away and {self._outbox.size} bytes wait for them (outbox_bytes)")
        entries: list[Entry] = []
        size, upto, more = 0, self._progress.spool, False
        async for number, payload in self._spool.read(self._progress.spool):
            entries += unpacked(payload)
            upto = number
            size += len(payload)
            if size >= self._bytes:
                more = True
                break
        if not entries:
            return False
        await asyncio.to_thread(self._seal, entries, upto)
        await self._spool.forget(upto)
        self._sealed()
        return more

    def _seal(self, entries: list[Entry], upto: int) -> None:
        created = moment(self._clock.now_ns())
        heads = dict(self._progress.heads)
        batch: list[Sealed] = []
        tenants: dict[str, list[Entry]] = {}
        for entry in entries:
            tenants.setdefault(entry.tenant, []).append(entry)
        for tenant, own in tenants.items():
            chain = chained(self._stream, heads.get(tenant, Head()), own)
            made, heads[tenant] = make_sealed(self._stream, tenant, chain, created, self._signer)
            batch.append(made)
        progress = replace(self._progress, spool=upto, heads=heads)
        self._outbox.add(batch, progress)
        self._progress = progress

    def _tell(self, problem: str) -> None:
        if problem and problem != self.problem:
            log.error("audit events are not sealed", reason=problem)
        self.problem = problem
