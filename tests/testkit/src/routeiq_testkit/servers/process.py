"""One server process: started until it answers, stopped, killed, paused, resumed, started again at the same place.

What the server is and how one sees that it answers is said by its subclass.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from .home import new_folder, unprivileged

_START_SECONDS = 30.0
_STOP_SECONDS = 20.0
_ATTEMPTS = 5


class ServerError(RuntimeError):
    """A server that cannot be started or does not answer; with the end of its log."""


class ServerProcess(ABC):
    """A server on a loopback port of its own. `start` waits until it answers, so that a test needs no waiting."""

    name = "server"
    privileged = True
    """Whether it may run as root."""

    def __init__(self) -> None:
        self.folder = new_folder(self.name)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._paused = False

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """How it is started on `port` in `folder`."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it is ready to serve."""

    @property
    def running(self) -> bool:
        """Whether the process is there, paused or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process; 0 when it does not run."""
        return self._process.pid if self._process is not None and self.running else 0

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, at its old port if it had one, and wait until it answers. Harmless when it runs."""
        if self.running:
            return
        chosen = self.port != 0
        for _ in range(_ATTEMPTS):
            if not chosen:
                self.choose_ports()
            if self._launch():
                return
        raise ServerError(f"{self.name} did not start on port {self.port}:\n{self.log()}")

    def choose_ports(self) -> None:
        """Find free ports; asked again when another process was quicker."""
        (self.port,) = free_ports(1)

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """A new process at the same place."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Stop all its work (SIGSTOP): connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)
        self._paused = True

    def resume(self) -> None:
        """Let it work again. Harmless when it was not paused."""
        self._signal(signal.SIGCONT)
        self._paused = False

    def log(self) -> str:
        """The end of what it wrote."""
        path = self.folder / "log"
        return path.read_text(errors="replace")[-2000:] if path.exists() else ""

    def processes(self) -> Sequence[int]:
        """All processes that do the server's work."""
        return [self.pid] if self.running else []

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.processes():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        if number == signal.SIGKILL:
            self._signal(signal.SIGKILL)
        else:
            if self._paused:
                self.resume()
            self._process.send_signal(number)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._paused = False
        (self.folder / "pid").unlink(missing_ok=True)

    def _launch(self) -> bool:
        user, group = (None, None) if self.privileged else (unprivileged() or (None, None))
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(word) for word in self.command()],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=user,
                group=group,
                extra_groups=[] if user is not None else None,
                start_new_session=True,
            )
        (self.folder / "pid").write_text(f"{self._process.pid}\n")
        until = time.monotonic() + _START_SECONDS
        while self.running and time.monotonic() < until:
            if self.answers():
                return True
            time.sleep(0.005)
        self.kill()
        return False


def free_ports(count: int) -> list[int]:
    """Loopback ports that were free just now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
