"""The durable queue: appends that wait together share one fsync, and the event loop never waits for the disk.

The format of the files lives in `segments` and `entry`, repair in `recovery`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, ParamSpec, TypeVar

import structlog

from routeiq.state.directory_lock import DirectoryLock
from routeiq.state.entry import HEADER_SIZE
from routeiq.state.errors import SpoolClosed, SpoolError
from routeiq.state.recovery import OnCorrupt, Recovery, recover
from routeiq.state.segments import MAGIC, Fsync, SegmentLog, spool_error, sync_directory
from routeiq_sdk import SpoolFull

P = ParamSpec("P")
T = TypeVar("T")

_MIB = 1024 * 1024
_READ_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """Bounds in bytes: of one segment file (and so of one entry), of all segments, and of what waits for the disk."""

    segment_bytes: int = 8 * _MIB
    total_bytes: int = 512 * _MIB
    waiting_bytes: int = 16 * _MIB

    def __post_init__(self) -> None:
        # Otherwise a spool whose entries are all forgotten could still be full.
        if self.total_bytes < 2 * self.segment_bytes:
            raise ValueError("total_bytes must be at least twice segment_bytes")


class _Files(NamedTuple):
    lock: DirectoryLock
    log: SegmentLog
    recovery: Recovery

    def release(self) -> None:
        with suppress(OSError):
            self.log.close()
        self.lock.release()


class Spool:
    """A durable queue in a directory of its own. Open with `Spool.open`, end with `close`.

    An `append` that is cancelled or fails may still leave its entry; one that returns always does. What was read and
    forgotten may come back after a crash, by at most one segment: consumers recognise it by its number.
    """

    def __init__(self, directory: Path, files: _Files, thread: ThreadPoolExecutor, limits: SpoolLimits) -> None:
        self.recovery = files.recovery
        self._directory = directory
        self._files = files
        self._log = files.log
        self._thread = thread
        self._limits = limits
        self._size = files.log.size
        self._last = files.log.last
        self._forgotten = 0
        self._waiting: list[tuple[bytes, asyncio.Future[int]]] = []
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._closing = False
        self._writer = asyncio.create_task(self._write(), name="spool-writer")

    @classmethod
    async def open(
        cls,
        directory: Path,
        *,
        limits: SpoolLimits | None = None,
        on_corrupt: OnCorrupt = "refuse",
        fsync: Fsync = os.fsync,
    ) -> Spool:
        """Open or create the spool in `directory`. Raises `SpoolLocked`, `SpoolCorrupt`, `SpoolFull`, `SpoolError`."""
        limits = limits or SpoolLimits()
        # A thread of its own: a disk that hangs must not hold up anything else that needs threads.
        thread = ThreadPoolExecutor(1, thread_name_prefix=f"spool-{directory.name}")
        opening = thread.submit(_open_files, directory, limits, on_corrupt, fsync)
        try:
            files = await asyncio.wrap_future(opening)
        except BaseException as error:
            # Cancelled while the thread was at work: what it opens has to be closed behind it.
            opening.add_done_callback(_release_unwanted)
            thread.shutdown(wait=False)
            if isinstance(error, OSError):
                raise spool_error(directory, error) from error
            raise
        recovery = files.recovery
        if recovery.cut_bytes or recovery.quarantined:
            structlog.get_logger(__name__).warning(
                "spool_recovered",
                directory=str(directory),
                cut_bytes=recovery.cut_bytes,
                quarantined=[str(path) for path in recovery.quarantined],
            )
        return cls(directory, files, thread, limits)

    @property
    def size(self) -> int:
        """Bytes on disk and on their way there."""
        return self._size + self._waiting_bytes

    async def append(self, payload: bytes) -> int:
        """As `SpoolService.append`. Raises `SpoolFull`, `SpoolError`, `SpoolClosed`; `ValueError` for an entry that no
        segment could hold. Waits as long as the disk does: the caller sets the deadline."""
        size = HEADER_SIZE + len(payload)
        if self._closing:
            raise SpoolClosed("the spool is closed")
        if len(MAGIC) + size > self._limits.segment_bytes:
            raise ValueError(f"an entry of {len(payload)} bytes does not fit a segment")
        if self._waiting_bytes + size > self._limits.waiting_bytes:
            raise SpoolFull(f"{self._waiting_bytes} bytes wait for the disk")
        if self._size + self._waiting_bytes + size > self._limits.total_bytes:
            raise SpoolFull(f"the spool holds {self._size} of {self._limits.total_bytes} bytes")
        written: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((bytes(payload), written))
        self._waiting_bytes += size
        self._wake.set()
        return await written

    async def read(self, after: int = 0) -> AsyncIterator[tuple[int, bytes]]:
        """As `SpoolService.read`. What was forgotten is left out. Raises `SpoolCorrupt` when the disk changed an entry
        since it was opened."""
        upto = self._last
        position = max(after, self._forgotten)
        while position < upto:
            entries = await self._on_thread(self._log.read, position, upto, _READ_BYTES)
            for entry in entries:
                yield entry
            position = entries[-1][0] if entries else upto

    async def forget(self, upto: int) -> None:
        """As `SpoolService.forget`. Files go as soon as nothing in them is needed."""
        self._forgotten = max(self._forgotten, min(upto, self._last))
        self._size = await self._on_thread(self._log.forget, self._forgotten)

    async def close(self, *, timeout_seconds: float = 10.0) -> None:
        """Write what waits, then let the directory go. What the disk did not take in time fails with `SpoolClosed`."""
        if self._closing:
            return
        self._closing = True
        self._wake.set()
        done, _ = await asyncio.wait({self._writer}, timeout=timeout_seconds)
        if not done:
            self._writer.cancel()
            await asyncio.wait({self._writer}, timeout=timeout_seconds)
        # On the spool's thread, so behind a write that hangs: closing under it could hit a reused descriptor.
        closing = asyncio.wrap_future(self._thread.submit(self._files.release))
        self._thread.shutdown(wait=False)
        await asyncio.wait({closing}, timeout=timeout_seconds)

    async def _write(self) -> None:
        try:
            while not self._closing or self._waiting:
                await self._wake.wait()
                self._wake.clear()
                # While one batch is being synced the next one gathers: no delay when idle, large batches under load.
                await self._commit_waiting()
        finally:
            _fail(self._take(), SpoolClosed("the spool closed before the entry was written"))

    async def _commit_waiting(self) -> None:
        batch = self._take()
        try:
            while batch:
                payloads = [payload for payload, _ in batch]
                first, count, self._size = await self._on_thread(self._log.commit, payloads)
                self._last = first + count - 1
                for number, (payload, written) in enumerate(batch[:count], start=first):
                    self._waiting_bytes -= HEADER_SIZE + len(payload)
                    if not written.done():
                        written.set_result(number)
                batch = batch[count:]
        except Exception as error:  # whatever it is, those who wait must hear of it and the writer must go on
            _fail(batch, error)
        except asyncio.CancelledError:
            _fail(batch, SpoolClosed("the spool closed while the disk was writing the entry"))
            raise
        finally:
            self._waiting_bytes -= sum(HEADER_SIZE + len(payload) for payload, _ in batch)

    def _take(self) -> list[tuple[bytes, asyncio.Future[int]]]:
        batch, self._waiting = self._waiting, []
        return batch

    async def _on_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            done = self._thread.submit(work, *args, **kwargs)
        except RuntimeError as error:
            raise SpoolClosed("the spool is closed") from error
        try:
            return await asyncio.wrap_future(done)
        except OSError as error:
            raise spool_error(self._directory, error) from error


def _open_files(directory: Path, limits: SpoolLimits, on_corrupt: OnCorrupt, fsync: Fsync) -> _Files:
    missing = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in missing:
        sync_directory(folder.parent, fsync)
    lock = DirectoryLock(directory)
    try:
        log, recovery = recover(directory, segment_bytes=limits.segment_bytes, on_corrupt=on_corrupt, fsync=fsync)
    except BaseException:
        lock.release()
        raise
    return _Files(lock, log, recovery)


def _release_unwanted(opening: Future[_Files]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().release()


def _fail(batch: list[tuple[bytes, asyncio.Future[int]]], error: Exception) -> None:
    for _, written in batch:
        if not written.done():
            # Each waiter gets an error of its own: tracebacks grow on a shared one.
            kind = type(error) if isinstance(error, (SpoolFull, SpoolClosed)) else SpoolError
            own = kind(str(error))
            own.__cause__ = error
            written.set_exception(own)
