"""One child process as its supervisor sees it: how it is started, what it reports first, how it ends.

When to start, stop or give up on a child is decided in `supervisor`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import sys
from dataclasses import dataclass

from routeiq.server.settings import WorkerSpec


@dataclass(frozen=True, slots=True)
class FirstReport:
    ready: bool
    message: str


class Child:
    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        lifeline: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._reader = reader
        self._lifeline = lifeline

    @classmethod
    async def start(cls, spec: WorkerSpec, sock: socket.socket) -> Child:
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # a stray file in the working directory is never imported
                "-m",
                "routeiq.server.worker",
                spec.to_json(),
                str(sock.fileno()),
                str(theirs.fileno()),
                pass_fds=(sock.fileno(), theirs.fileno()),
                process_group=0,  # Ctrl-C reaches the supervisor alone, which passes it on once
            )
        return cls(process, *await asyncio.open_connection(sock=ours))

    async def first_report(self, seconds: float) -> FirstReport:
        """Ready, failed with a reason, or dead without a word."""
        try:
            async with asyncio.timeout(seconds):
                line = await self._reader.readline()
        except TimeoutError:
            self.kill()
            return FirstReport(False, f"it was not ready after {seconds:g} seconds")
        except ConnectionError:
            line = b""
        if not line:
            return FirstReport(False, "it ended without saying why; its own output above may tell")
        told = json.loads(line)
        return FirstReport(told["ready"], told.get("message", ""))

    async def wait(self) -> int:
        """The exit code. Until here our end of the pipe is open: a child that sees it close has lost its parent."""
        code = await self._process.wait()
        self._lifeline.close()
        return code

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
