"""Cells in files, so that any worker of a gateway can tell the sum of all: one pair of files a worker, locked by it.

A worker that dies lets go of its lock: its counts stay, and the next worker goes on in its files. The first worker of a
gateway finds nobody alive and begins anew. Nothing here knows what the cells mean.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import mmap
import os
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from routeiq_prometheus.families import Family, Labels

_MOST_WORKERS = 1024
_CELL = 8


class Peer(NamedTuple):
    """What another worker wrote: whether it lives, its rows in order, its cells."""

    alive: bool
    rows: Sequence[tuple[int, Labels]]
    cells: Sequence[float]


class _Read(NamedTuple):
    inode: int
    position: int
    rows: list[tuple[int, Labels]]


class SharedCells:
    """This worker's pair of files among those of the others. Raises `OSError` where files cannot be locked."""

    def __init__(self, folder: Path, families: Sequence[Family], fingerprint: str, cells: int) -> None:
        self._folder = folder
        self._families = families
        self._header = json.dumps({"layout": fingerprint}).encode() + b"\n"
        self._seen: dict[str, _Read] = {}
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._living = os.open(folder / "workers.lock", os.O_RDWR | os.O_CREAT, 0o600)
        if _locks(self._living, fcntl.LOCK_EX):
            self._begin_anew()
        fcntl.flock(self._living, fcntl.LOCK_SH)
        self._name, self._cells_fd = self._claim()
        os.ftruncate(self._cells_fd, cells * _CELL)  # sparse: a page takes room once it is written
        self._map = mmap.mmap(self._cells_fd, cells * _CELL)
        self.cells = memoryview(self._map).cast("d")
        self._labels_fd = os.open(self._path("labels"), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self.kept = self._take_over()

    def note(self, family: int, labels: Labels) -> None:
        """Write one row's labels down, for the other workers and for this one's successor: the whole line or, on a full
        disk, nothing of it (`OSError`)."""
        line = json.dumps([family, labels], separators=(",", ":")).encode() + b"\n"
        end = os.fstat(self._labels_fd).st_size
        if os.write(self._labels_fd, line) < len(line):
            os.ftruncate(self._labels_fd, end)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path("labels")))

    def peers(self) -> Iterator[Peer]:
        """What the other workers of this layout wrote, dead ones included."""
        for path in sorted(self._folder.glob("*.cells")):
            if path.stem != self._name:
                with contextlib.suppress(FileNotFoundError):
                    peer = self._read(path)
                    if peer is not None:
                        yield peer

    def close(self) -> None:
        """Let the files go. What was counted stays until the last worker ended."""
        self.cells.release()
        self._map.close()
        for descriptor in (self._labels_fd, self._cells_fd, self._living):
            os.close(descriptor)

    def _path(self, kind: str) -> Path:
        return self._folder / f"{self._name}.{kind}"

    def _begin_anew(self) -> None:
        for path in [*self._folder.glob("*.cells"), *self._folder.glob("*.labels")]:
            path.unlink(missing_ok=True)

    def _claim(self) -> tuple[str, int]:
        for number in range(_MOST_WORKERS):
            path = self._folder / f"{number}.cells"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            if _locks(descriptor, fcntl.LOCK_EX) and _is(path, descriptor):
                if self._layout_of(number) in (None, self._header):
                    return str(number), descriptor
                path.unlink()  # of another layout, and nobody's: nobody can read it any more
                path.with_suffix(".labels").unlink(missing_ok=True)
            os.close(descriptor)
        raise OSError(f"{self._folder} has no free place for this worker")

    def _layout_of(self, number: int) -> bytes | None:
        try:
            with (self._folder / f"{number}.labels").open("rb") as file:
                return file.readline()
        except FileNotFoundError:
            return None

    def _take_over(self) -> list[tuple[int, Labels]]:
        """The rows of the worker whose files these were; a line it could not finish is cut off."""
        with open(self._labels_fd, "rb", closefd=False) as file:
            written = file.read()
        whole = written[: written.rfind(b"\n") + 1]
        if not whole:
            os.ftruncate(self._labels_fd, 0)
            os.write(self._labels_fd, self._header)
            return []
        os.ftruncate(self._labels_fd, len(whole))
        return [_row(line) for line in whole.splitlines()[1:]]

    def _read(self, path: Path) -> Peer | None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            alive = not _locks(descriptor, fcntl.LOCK_SH)
            rows = self._rows_of(path.with_suffix(".labels"))
            if rows is None:
                return None
            used = sum(self._families[number].width for number, _ in rows)
            cells = array("d")
            cells.frombytes(os.pread(descriptor, used * _CELL, 0))
            return Peer(alive, rows, cells)
        finally:
            os.close(descriptor)

    def _rows_of(self, path: Path) -> Sequence[tuple[int, Labels]] | None:
        """The rows of a file, of which the part that was read before is remembered; `None` for another layout."""
        with path.open("rb") as file:
            inode = os.fstat(file.fileno()).st_ino
            seen = self._seen.get(path.name)
            if seen is None or seen.inode != inode:
                if file.readline() != self._header:
                    return None
                seen = _Read(inode, len(self._header), [])
            file.seek(seen.position)
            written = file.read()
        whole = written[: written.rfind(b"\n") + 1]
        seen.rows.extend(_row(line) for line in whole.splitlines())
        self._seen[path.name] = seen._replace(position=seen.position + len(whole))
        return seen.rows


def _row(line: bytes) -> tuple[int, Labels]:
    family, labels = json.loads(line)
    return family, tuple(labels)


def _locks(descriptor: int, how: int) -> bool:
    """Whether the lock could be had at once."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is(path: Path, descriptor: int) -> bool:
    """Whether the open file still is the one at this path."""
    try:
        return os.stat(path).st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
