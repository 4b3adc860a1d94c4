"""One writer a directory: a lock file that the operating system lets go of when its holder dies.

It guards this machine only; leases are for holders on several.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from routeiq.state.errors import SpoolLocked


class DirectoryLock:
    """Holds `DIRECTORY/lock` from construction to `release`. Raises `SpoolLocked` when another holds it."""

    def __init__(self, directory: Path) -> None:
        path = directory / "lock"
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise SpoolLocked(
                f"{directory} already has a writer (process {holder}). Mend: give each process a directory of its own."
            ) from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode("ascii"), 0)

    def release(self) -> None:
        """Let the next writer in."""
        os.close(self._fd)
