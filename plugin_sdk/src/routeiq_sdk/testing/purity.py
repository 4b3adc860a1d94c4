"""Watches what a piece of code does to the outside: files, sockets, threads, processes.

It sees what CPython's audit events show, and threads that `threading` starts; it prevents nothing.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from unittest.mock import patch

_WATCHED = (
    "open",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.system",
    "socket.",
    "sqlite3.connect",
    "subprocess.Popen",
)
_CODE = (".py", ".pyc", ".so", ".pyd")


class _Watch:
    """One audit hook for the process (it cannot be removed), idle unless a thread is being watched."""

    def __init__(self) -> None:
        self.installed = False
        self.thread: int | None = None
        self.seen: list[str] = []

    def hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.thread is None or threading.get_ident() != self.thread or not event.startswith(_WATCHED):
            return
        what = str(arguments[0]) if arguments else ""
        # A lazy import reads code; that is no side effect.
        if event == "open" and what.endswith(_CODE):
            return
        self.seen.append(f"{event} {what}".strip())


_watch = _Watch()


def side_effects(work: Callable[[], object]) -> list[str]:
    """Run `work` and list the files, sockets, threads and processes it opened in this thread."""
    if not _watch.installed:
        sys.addaudithook(_watch.hook)
        _watch.installed = True
    start = threading.Thread.start

    def noted(thread: threading.Thread) -> None:
        _watch.seen.append(f"thread {thread.name}")
        start(thread)

    _watch.seen = []
    _watch.thread = threading.get_ident()
    try:
        # Before 3.12 no audit event tells of a new thread.
        with patch.object(threading.Thread, "start", noted):
            work()
    finally:
        _watch.thread = None
    return _watch.seen
