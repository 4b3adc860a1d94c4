"""Files that are there as a whole or not at all, also after a power cut.

What is in them is the callers' business.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

Fsync = Callable[[int], None]


def write_whole(path: Path, data: bytes, *, fsync: Fsync = os.fsync, mode: int = 0o600) -> None:
    """Replace the file at `path`, atomically."""
    temporary = _written(path, data, fsync, mode)
    os.replace(temporary, path)
    sync_folder(path.parent, fsync)


def create_once(path: Path, data: bytes, *, fsync: Fsync = os.fsync, mode: int = 0o600) -> bool:
    """Make the file at `path` unless there is one; says whether it did."""
    temporary = _written(path, data, fsync, mode)
    try:
        os.link(temporary, path)  # a link does not replace what is there, a rename would
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    sync_folder(path.parent, fsync)
    return True


def make_folders(path: Path, *, fsync: Fsync = os.fsync) -> None:
    """Make a folder and those above it, so that they are there after a power cut."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    for folder in missing:
        sync_folder(folder.parent, fsync)


def sync_folder(path: Path, fsync: Fsync = os.fsync) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fsync(descriptor)
    finally:
        os.close(descriptor)


def _written(path: Path, data: bytes, fsync: Fsync, mode: int) -> Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(data)
            out.flush()
            fsync(out.fileno())
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    return temporary
