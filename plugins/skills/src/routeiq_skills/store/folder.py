"""Skills of a folder on this machine, read by descriptors: no link is followed, nothing but plain files is opened.

Whether what was read is a skill is decided elsewhere.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from routeiq_skills.store.limits import LIMITS, SKILL_MD, BadSkill
from routeiq_skills.store.paths import is_litter, shown
from routeiq_skills.store.source import Found, Troubled

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MOST_SKILLS = 4096


class FolderSource:
    """A folder whose folders are skills."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = str(path)

    def mark(self) -> object:
        """What changes when anything below the folder changes. Raises `BadSkill` when the folder cannot be read."""
        marks: list[tuple[str, int, int, int, int]] = []

        def look(path: str, told: os.stat_result) -> None:
            marks.append((path, told.st_mode, told.st_size, told.st_mtime_ns, told.st_ino))

        with self._open() as top:
            for name, told in _entries(top):
                look(name, told)
                if stat.S_ISDIR(told.st_mode):
                    with _folder(top, name) as folder:
                        _walk(folder, f"{name}/", look, 1)
        return tuple(marks)

    def read(self) -> Iterator[Found | Troubled]:
        """All skills, and what is wrong with those that are none. Raises `BadSkill` when the folder cannot be read."""
        with self._open() as top:
            for name, told in _entries(top):
                if stat.S_ISLNK(told.st_mode):
                    yield Troubled(name, "it is a symbolic link, and none is followed")
                elif stat.S_ISDIR(told.st_mode):
                    try:
                        with _folder(top, name) as folder:
                            if _has_skill(folder):
                                yield Found(name, _contents(folder))
                    except BadSkill as bad:
                        yield Troubled(name, str(bad))
                    except OSError as error:
                        yield Troubled(name, f"it cannot be read: {error.strerror}")
                elif name == SKILL_MD:
                    yield Troubled(name, "a source holds folders of skills; name the folder above this one")

    @contextmanager
    def _open(self) -> Iterator[int]:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise BadSkill(f"the folder cannot be read: {error.strerror}") from None
        try:
            yield descriptor
        finally:
            os.close(descriptor)


@contextmanager
def _folder(above: int, name: str) -> Iterator[int]:
    descriptor = os.open(name, _FOLDER, dir_fd=above)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _entries(folder: int) -> list[tuple[str, os.stat_result]]:
    """Names in a folder with what they are; links are not followed."""
    found: list[tuple[str, os.stat_result]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_litter(entry.name):
                continue
            if len(found) >= _MOST_SKILLS:
                raise BadSkill(f"a folder has more than {_MOST_SKILLS} entries")
            try:
                found.append((entry.name, entry.stat(follow_symlinks=False)))
            except FileNotFoundError:
                continue  # gone since the folder was listed
    return sorted(found)


def _has_skill(folder: int) -> bool:
    return any(name == SKILL_MD for name, _ in _entries(folder))


def _walk(folder: int, prefix: str, look: Callable[[str, os.stat_result], None], depth: int) -> None:
    if depth > LIMITS.depth:
        return
    for name, told in _entries(folder):
        look(f"{prefix}{name}", told)
        if stat.S_ISDIR(told.st_mode):
            with _folder(folder, name) as below:
                _walk(below, f"{prefix}{name}/", look, depth + 1)


def _contents(folder: int) -> dict[str, bytes]:
    """The files of one skill. Raises `BadSkill`, `OSError`."""
    contents: dict[str, bytes] = {}
    left = LIMITS.skill_bytes

    def take(folder: int, prefix: str, depth: int) -> None:
        nonlocal left
        if depth > LIMITS.depth:
            raise BadSkill(f"{shown(prefix)} lies deeper than {LIMITS.depth} folders")
        for name, told in _entries(folder):
            path = f"{prefix}{name}"
            if stat.S_ISDIR(told.st_mode):
                with _folder(folder, name) as below:
                    take(below, f"{path}/", depth + 1)
            elif stat.S_ISREG(told.st_mode):
                if len(contents) >= LIMITS.files:
                    raise BadSkill(f"it has more than {LIMITS.files} files")
                contents[path] = _read(folder, name, path, left)
                left -= len(contents[path])
            else:
                what = "a symbolic link" if stat.S_ISLNK(told.st_mode) else "no plain file"
                raise BadSkill(f"{shown(path)} is {what}")

    take(folder, "", 1)
    return contents


def _read(folder: int, name: str, path: str, left: int) -> bytes:
    descriptor = os.open(name, _FILE, dir_fd=folder)
    with open(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise BadSkill(f"{shown(path)} is no plain file")
        most = min(left, LIMITS.file_bytes)
        data = opened.read(most + 1)
    if len(data) > most:
        raise BadSkill(f"with {shown(path)} it has more than {LIMITS.skill_bytes} bytes")
    return data
