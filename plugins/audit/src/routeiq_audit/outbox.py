"""Sealed objects on local disk until all sinks have them, and the note of how far sealing has come.

The note's replacement is the one point at which a batch becomes sealed: objects that it does not know never existed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from routeiq_audit.chain import Head
from routeiq_audit.durable import Fsync, make_folders, write_whole
from routeiq_audit.sealed import Sealed

_PARTS = ("body", "manifest", "head", "key")
_FACTS = "facts.json"
_DONE = "done-"


@dataclass(slots=True)
class Progress:
    """`spool` is the number of the last spool entry that was sealed; `heads` are the chains' ends by tenant."""

    spool: int = 0
    heads: dict[str, Head] = field(default_factory=dict)


class Outbox:
    """One worker's outbox: a folder an object, numbered in the order of sealing. Methods block on the disk: call them
    in a thread."""

    def __init__(self, folder: Path, *, fsync: Fsync = os.fsync) -> None:
        self._folder = folder
        self._note = folder / "progress.json"
        self._fsync = fsync
        self._size = 0
        self._next = 1

    @property
    def size(self) -> int:
        """Bytes of the objects that wait."""
        return self._size

    def open(self) -> Progress:
        """How far sealing has come. What a crash left behind before its batch was sealed is removed."""
        make_folders(self._folder, fsync=self._fsync)
        progress, self._next = _read(self._note)
        for path in list(self._folder.iterdir()):
            if path.is_file() and path != self._note:
                path.unlink()
            elif path.is_dir() and (int(path.name) >= self._next or not (path / _FACTS).exists()):
                shutil.rmtree(path)
        self._size = sum((path / "body").stat().st_size for path in self._objects() if (path / "body").exists())
        return progress

    def add(self, batch: Sequence[Sealed], progress: Progress) -> None:
        """Keep the objects of a batch; they are sealed once this returns. Raises `OSError`: then none of them is."""
        for number, sealed in enumerate(batch, start=self._next):
            self._write(self._place(number), sealed)
        after = self._next + len(batch)
        heads = {tenant: asdict(head) for tenant, head in progress.heads.items()}
        told = {"next": after, "spool": progress.spool, "heads": heads}
        write_whole(self._note, orjson.dumps(told), fsync=self._fsync)
        self._next = after
        self._size += sum(len(sealed.body) for sealed in batch)

    def waiting(self) -> list[int]:
        """The numbers of the objects that wait, in order."""
        return sorted(int(path.name) for path in self._objects() if int(path.name) < self._next)

    def load(self, number: int) -> Sealed | None:
        """One object; `None` when it is gone because all sinks have it."""
        folder = self._place(number)
        try:
            facts: dict[str, Any] = orjson.loads((folder / _FACTS).read_bytes())
            return Sealed(**(facts | {part: (folder / part).read_bytes() for part in _PARTS}))
        except FileNotFoundError:
            return None

    def is_done(self, number: int, sink: str) -> bool:
        """Whether a sink has an object."""
        return (self._place(number) / _mark(sink)).exists()

    def done(self, number: int, sink: str, sinks: Sequence[str]) -> None:
        """A sink has an object; once all `sinks` have it, it goes. After a crash a sink may be handed it again."""
        folder = self._place(number)
        with suppress(FileNotFoundError):  # another shipper may have been faster
            (folder / _mark(sink)).touch(0o600)
            if all(self.is_done(number, each) for each in sinks):
                size = (folder / "body").stat().st_size
                (folder / _FACTS).unlink()  # first: what is left of the folder is no object any more
                shutil.rmtree(folder, ignore_errors=True)
                self._size -= size

    def _write(self, folder: Path, sealed: Sealed) -> None:
        shutil.rmtree(folder, ignore_errors=True)  # of a batch that was not sealed in this very run
        make_folders(folder, fsync=self._fsync)
        facts: dict[str, Any] = {name: getattr(sealed, name) for name in Sealed.__slots__ if name not in _PARTS}
        for part in _PARTS:
            write_whole(folder / part, getattr(sealed, part), fsync=self._fsync)
        write_whole(folder / _FACTS, orjson.dumps(facts), fsync=self._fsync)

    def _place(self, number: int) -> Path:
        return self._folder / f"{number:012d}"

    def _objects(self) -> Iterator[Path]:
        return (path for path in self._folder.iterdir() if path.is_dir() and (path / _FACTS).exists())


def _mark(sink: str) -> str:
    return _DONE + hashlib.sha256(sink.encode()).hexdigest()[:16]


def _read(note: Path) -> tuple[Progress, int]:
    try:
        told: dict[str, Any] = orjson.loads(note.read_bytes())
    except FileNotFoundError:
        return Progress(), 1
    heads = {tenant: Head(**head) for tenant, head in told["heads"].items()}
    return Progress(int(told["spool"]), heads), int(told["next"])
