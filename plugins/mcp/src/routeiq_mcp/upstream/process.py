"""One child process that speaks lines of JSON: started without a shell, read within bounds, ended with its group.

What the lines say, and when a process is started again, is `stdio`'s business. Only signed programs get here.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable

import orjson
import structlog

from routeiq_mcp.upstream import failures
from routeiq_mcp.upstream.failures import Failure
from routeiq_mcp.upstream.messages import Message
from routeiq_mcp.upstream.signed import SignedProgram

log = structlog.get_logger("routeiq.mcp")

_INHERITED = ("PATH", "HOME")
_LOGGED_LINE = 2000
_LOGGED_LINES = 10_000
_LEAST_SECRET = 4
_GRACE_SECONDS = 2.0


class ChildProcess:
    """A running server. `receive` gets each message, `lost` is told once when the process ended or broke the rules."""

    def __init__(
        self,
        server: str,
        program: SignedProgram,
        most_bytes: int,
        receive: Callable[[Message], Awaitable[None]],
        lost: Callable[[Failure], None],
    ) -> None:
        self._server = server
        self._program = program
        self._most = most_bytes
        self._receive = receive
        self._lost = lost
        self._process: Process | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._writing = asyncio.Lock()

    async def start(self) -> None:
        """Start it. Raises `Failure`."""
        program = self._program
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        environment |= {name: value.reveal() for name, value in program.env.items()}
        try:
            self._process = await asyncio.create_subprocess_exec(
                program.command,
                *program.args,
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                cwd=program.cwd,
                env=environment,
                start_new_session=True,
                limit=self._most,
            )
        except OSError as error:
            log.warning("an MCP server was not started", server=self._server, error=type(error).__name__)
            raise failures.away(self._server, "cannot be started") from None
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._read(self._process), name=f"mcp: {self._server} stdout"),
            loop.create_task(self._log(self._process), name=f"mcp: {self._server} stderr"),
        ]

    async def send(self, message: Message) -> None:
        """Write one message. Raises `Failure`."""
        if self._process is None or self._process.stdin is None:
            raise failures.away(self._server)
        try:
            async with self._writing:
                self._process.stdin.write(orjson.dumps(message, default=dict) + b"\n")
                await self._process.stdin.drain()
        except (OSError, RuntimeError):
            raise failures.away(self._server, "has ended") from None

    async def stop(self) -> None:
        """End it: its input first, then its group with more and more force."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        for force in (signal.SIGTERM, signal.SIGKILL):
            try:
                async with asyncio.timeout(_GRACE_SECONDS):
                    await process.wait()
                break
            except TimeoutError:
                _signal_group(process.pid, force)
        else:
            await process.wait()
        _signal_group(process.pid, signal.SIGKILL)  # what it started and left behind
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        failure = failures.away(self._server, "has ended")
        try:
            while line := await process.stdout.readline():
                try:
                    message = orjson.loads(line)
                except orjson.JSONDecodeError:
                    continue  # servers print banners
                if isinstance(message, dict):
                    await self._receive(message)
        except ValueError:  # a line above the limit
            failure = failures.too_large(self._server, self._most)
        except Failure as error:
            failure = error
        finally:
            self._lost(failure)

    async def _log(self, process: Process) -> None:
        """At most so many lines of so many characters; the rest is read and dropped, or the process would stand
        still."""
        assert process.stderr is not None
        hidden = [value.reveal() for value in self._program.env.values() if len(value.reveal()) >= _LEAST_SECRET]
        told = 0
        while chunk := await process.stderr.read(_LOGGED_LINE):
            for line in chunk.decode(errors="replace").splitlines():
                told += 1
                if told > _LOGGED_LINES or not line.strip():
                    continue
                for secret in hidden:
                    line = line.replace(secret, "***")
                log.debug("an MCP server wrote", server=self._server, line=line)


def _signal_group(pid: int, force: signal.Signals) -> None:
    try:
        os.killpg(pid, force)
    except (ProcessLookupError, PermissionError):
        return
