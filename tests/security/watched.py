"""A Python that tells what it does: an audit hook, there before any code of ours, writes each event to a file.

The hook comes as a `sitecustomize` on `PYTHONPATH`, so children of the process are watched too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

EXECUTIONS = frozenset(
    {
        "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn",
        "os.startfile",
    }
)  # fmt: skip
"""What starts another program (PEP 578)."""
CONNECTIONS = frozenset(
    {
        "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.sendto",
        "socket.sendmsg",
    }
)  # fmt: skip
"""What reaches out."""

_HOOK = """
import os, sys
_watched = frozenset({events!r})
_out = os.open({log!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
def _hook(event, arguments):
    if event in _watched:
        frame, names = sys._getframe(1), []
        while frame is not None and len(names) < 12:
            names.append(frame.f_globals.get("__name__", "?"))
            frame = frame.f_back
        os.write(_out, (event + " " + repr(arguments)[:300] + " from " + "<".join(names) + "\\n").encode())
sys.addaudithook(_hook)
"""


class Watch:
    """The file of events, and the environment of a process that is to be watched. `folder` is on its path."""

    def __init__(self, folder: Path, events: frozenset[str] = EXECUTIONS | CONNECTIONS) -> None:
        folder.mkdir(parents=True)
        self.log = folder / "events"
        self.folder = folder
        (folder / "sitecustomize.py").write_text(_HOOK.format(events=sorted(events), log=str(self.log)))

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables to start it with."""
        return {**os.environ, "PYTHONPATH": str(self.folder)}

    @property
    def armed(self) -> bool:
        """Whether a process with the hook has started."""
        return self.log.exists()

    def events(self) -> list[str]:
        """What happened so far: one line an event, with the modules it came through."""
        return self.log.read_text().splitlines()

    def forget(self) -> None:
        """Count anew from here."""
        os.truncate(self.log, 0)
