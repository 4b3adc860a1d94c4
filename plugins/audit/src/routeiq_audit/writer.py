"""Brings entries into the spool: at once for those that somebody waits for, in batches for the others.

What is sealed out of the spool is `sealing`'s business.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import structlog

from routeiq_audit.canonical import canonical
from routeiq_audit.entry import LOSS, Entry, packed
from routeiq_audit.sealed import ALL
from routeiq_sdk import Record, SpoolFailed
from routeiq_sdk.events.contract import moment

if TYPE_CHECKING:
    from routeiq_sdk.gateway import SpoolService

log = structlog.get_logger("routeiq.audit")

_MOST_WAITING = 50_000
_RETRY_SECONDS = 0.5
_AT_ONCE = 32
"""Records that are spelled out before the loop may turn to requests again."""
_A_BATCH = 256
_MOST_BYTES = 4 * 1024 * 1024
"""Of one append; the spool takes twice as much at a time."""
_MOST_ID = 200

EntriesOf = Callable[[Record], Iterable[Entry]]


class Writer:
    """One worker's way into the spool. `arrived` hears of the bytes, and of the entry's number."""

    def __init__(
        self,
        spool: SpoolService,
        entries_of: EntriesOf,
        arrived: Callable[[int, int], None],
        *,
        drops: bool,
        linger_seconds: float = 0.02,
    ) -> None:
        self._spool = spool
        self._entries_of = entries_of
        self._arrived = arrived
        self._drops = drops
        self._linger_seconds = linger_seconds
        self._waiting: deque[Record | Entry] = deque()
        self._in_hand: deque[Entry] = deque()
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self.dropped = 0
        self._untold = 0
        self.problem = ""
        """Why the spool takes nothing now, if so."""

    @property
    def waiting(self) -> int:
        """Records and events in memory."""
        return len(self._waiting) + len(self._in_hand)

    @property
    def full(self) -> bool:
        """Whether nothing more may be accepted: the spool has no room, or too much waits for it."""
        return not self._drops and (self.problem != "" or self.waiting >= _MOST_WAITING)

    async def now(self, entries: Sequence[Entry]) -> None:
        """Write entries; they are on disk when this returns. Raises `SpoolFailed`, also for what is too large."""
        payload = packed(entries)
        try:
            number = await self._spool.append(payload)
        except ValueError as error:
            raise SpoolFailed(f"the event is too large: {error}") from error
        self._arrived(len(payload), number)

    def later(self, item: Record | Entry) -> None:
        """Write it soon. Never waits."""
        if self._waiting and self.waiting >= _MOST_WAITING * (1 if self._drops else 2):  # refusals are written, too
            self._waiting.popleft()
            self._drop(1)
        self._waiting.append(item)
        if not self._wake.is_set():
            self._wake.set()

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(self._linger_seconds)  # many in one append: one fsync, one look at the files
            self._wake.clear()
            try:
                await self.write_all()
            except Exception as error:  # whatever it is, it must not be the end of all writing
                self._tell(f"{type(error).__name__}: {error}"[:_MOST_ID])
                self._wake.set()
                await asyncio.sleep(_RETRY_SECONDS)

    async def write_all(self) -> None:
        """Write what waits now; while the spool takes nothing, try again for as long as it takes."""
        async with self._turn:
            while self._waiting or self._in_hand:
                await self._spell()
                batch, told = self._batch(), self._untold
                try:
                    if batch:
                        loss = [_loss(dropped=told, policy="drop_oldest", total=self.dropped)] if told else []
                        await self.now([*batch, *loss])
                except SpoolFailed as error:
                    self._tell(str(error))
                    if self._drops:
                        self._drop(len(batch))
                        self._forget(len(batch))
                    await asyncio.sleep(_RETRY_SECONDS)
                else:
                    self._tell("")
                    self._untold -= told
                    self._forget(len(batch))

    async def _spell(self) -> None:
        """Take some of what waits into the hand, spelled out."""
        number = 0
        while self._waiting and len(self._in_hand) < _A_BATCH:
            self._in_hand += self._spelled(self._waiting.popleft())
            number += 1
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)

    def _spelled(self, item: Record | Entry) -> list[Entry]:
        """The entries of an item. One that cannot be written must not keep back all others: a note takes its place."""
        if isinstance(item, Entry):
            return [item if len(item.event) <= _MOST_BYTES else self._unwritten(item.name, item.id, "too large")]
        try:
            entries = list(self._entries_of(item))
        except Exception as error:
            return [self._unwritten("the record of a request", item.request_id, type(error).__name__)]
        return [self._spelled(entry)[0] for entry in entries]

    def _batch(self) -> list[Entry]:
        """What is written next: as much as fits one append."""
        batch: list[Entry] = []
        size = 0
        for entry in self._in_hand:
            size += len(entry.event)
            if batch and size > _MOST_BYTES:
                break
            batch.append(entry)
        return batch

    def _forget(self, count: int) -> None:
        for _ in range(count):
            self._in_hand.popleft()

    def _unwritten(self, name: str, id: str, reason: str) -> Entry:
        log.error("an audit event could not be written", name=name, id=id[:_MOST_ID], reason=reason)
        self.dropped += 1
        return _loss(dropped=1, name=name, id=id[:_MOST_ID], reason=reason)

    def _drop(self, count: int) -> None:
        if not self._untold:
            log.error("audit events are dropped: there is no room for them", policy="drop_oldest")
        self.dropped += count
        self._untold += count

    def _tell(self, problem: str) -> None:
        if problem and not self.problem:
            log.error("the audit spool takes no events", reason=problem)
        elif self.problem and not problem:
            log.info("the audit spool takes events again")
        self.problem = problem


def _loss(**facts: object) -> Entry:
    now = time.time_ns()
    id = f"loss-{now}"
    return Entry("admin", LOSS, moment(now), id, ALL, canonical({"event_id": id, **facts}))
