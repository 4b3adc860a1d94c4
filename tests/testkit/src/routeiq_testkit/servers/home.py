"""The temporary folder of all servers of this process, and the guard that ends them when this process is gone.

The guard is a shell that waits for the end of a pipe, so that it also sees a crash and a `kill -9`.
"""

from __future__ import annotations

import atexit
import itertools
import os
import pwd
import subprocess
import tempfile
from functools import cache
from pathlib import Path

_GUARD = r"""
cat >/dev/null
for signal in INT KILL; do
  found=
  for file in "$1"/*/pid; do
    [ -f "$file" ] || continue
    read -r pid <"$file"
    kill -CONT "$pid" 2>/dev/null && kill "-$signal" "$pid" 2>/dev/null && found=1
  done
  [ -n "$found" ] && [ "$signal" = INT ] && sleep 0.5
done
rm -rf "$1"
"""
_numbers = itertools.count()


def new_folder(name: str) -> Path:
    """A folder for one server. A file `pid` in it puts that process under the guard."""
    folder = _home(os.getpid()) / f"{next(_numbers)}-{name}"
    folder.mkdir()
    if (user := unprivileged()) is not None:
        os.chown(folder, *user)
    return folder


@cache
def unprivileged() -> tuple[int, int] | None:
    """The user and group to run a server as that refuses to run as root; `None` when this process is not root."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


@cache
def _home(process: int) -> Path:
    # Short, because the path of a socket has room for about a hundred bytes.
    home = Path(tempfile.mkdtemp(prefix="riq-"))
    home.chmod(0o755)
    # A session of its own: a Ctrl-C in the terminal must not end the guard before its work.
    guard = subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, "routeiq-test-servers", str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    atexit.register(_dismiss, guard, process)
    return home


def _dismiss(guard: subprocess.Popen[bytes], process: int) -> None:
    # A forked child runs this, too, and its exit must not end the servers of its parent.
    if os.getpid() == process and guard.stdin is not None:
        guard.stdin.close()
        guard.wait(timeout=20)
