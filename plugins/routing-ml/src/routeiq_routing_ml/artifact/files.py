"""Reading a file once and only if it is a plain file; making and replacing one so that no reader sees half of it.

What the bytes mean is not known here.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from routeiq_routing_ml.artifact.errors import ArtifactError

_PLAIN = "put the file itself there."


@contextmanager
def opened(path: Path, *, folder: int | None = None) -> Iterator[tuple[BinaryIO, os.stat_result]]:
    """An open plain file, unbuffered, and its status. With an open directory as `folder` the name of `path` is looked
    up there. Never waits (a fifo is refused) and never follows a link. Raises `ArtifactError`; `FileNotFoundError`
    when there is no such file.
    """
    name = path if folder is None else path.name
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ArtifactError(path, "a link in place of a file.", _PLAIN) from None
        if error.errno == errno.ENXIO:
            raise ArtifactError(path, "not a plain file.", _PLAIN) from None
        raise ArtifactError(path, f"cannot be read: {error.strerror}.", "check its owner and mode.") from None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise ArtifactError(path, "not a plain file.", _PLAIN)
        with open(fd, "rb", buffering=0, closefd=False) as file:
            yield file, status
    finally:
        os.close(fd)


def read(path: Path, most: int, *, folder: int | None = None) -> tuple[bytes, os.stat_result]:
    """The whole content of a plain file, at most `most` bytes, and its status. Raises what `opened` raises."""
    with opened(path, folder=folder) as (file, status):
        if status.st_size > most:
            raise ArtifactError(path, f"{status.st_size} bytes where at most {most} are read.", "replace the file.")
        data = file.read(status.st_size + 1)
        while len(data) < status.st_size and (more := file.read(status.st_size + 1 - len(data))):
            data += more
    if len(data) != status.st_size:
        raise ArtifactError(path, "it changed while it was read.", "publish files by a rename, never in place.")
    return data, status


def create(path: Path, data: bytes, *, mode: int) -> None:
    """Make a file that is whole or absent. Raises `FileExistsError` when there is one already, and leaves that."""
    with _fresh(path, data, mode) as temporary:
        os.link(temporary, path)
        sync(path.parent)


def replace(path: Path, data: bytes, *, mode: int) -> None:
    """Make a file or put it in place of the old one: a reader sees all of the one or all of the other."""
    with _fresh(path, data, mode) as temporary:
        os.replace(temporary, path)
        sync(path.parent)


def write(path: Path, data: bytes, *, mode: int) -> None:
    """Make a new file and wait until it is on the disk. For a place that no reader looks at yet."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with open(fd, "wb", buffering=0) as file:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        os.fsync(fd)


def sync(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def _fresh(path: Path, data: bytes, mode: int) -> Iterator[Path]:
    temporary = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    try:
        write(temporary, data, mode=mode)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
