"""Binds once, runs N workers on the one socket, passes signals on, waits for all, respawns the dead.

No request is ever handled in this process (unless there is one worker, which then runs here).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import replace

from routeiq.server.child import Child
from routeiq.server.core_dumps import no_core_dumps
from routeiq.server.engine import check_exposure, find_engine
from routeiq.server.listener import address_of, bind, release
from routeiq.server.settings import WorkerSpec
from routeiq.server.worker import EX_CONFIG, EX_FAILED, EX_OK, LAST_SECONDS, Report, run_worker
from routeiq_sdk.errors import ConfigError

logger = logging.getLogger("routeiq.server")

START_SECONDS = 120.0
CHECK_SECONDS = 60.0
EARLY_DEATHS = 3
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
KILL_MARGIN_SECONDS = 5.0


def serve(spec: WorkerSpec, announce: Callable[[str], None], complain: Callable[[str], None]) -> int:
    """Run until told to stop; the exit code of the whole.

    `announce` gets one line when every worker is ready, `complain` one for each reason to give up.
    """
    settings = spec.settings
    no_core_dumps()  # before there are workers, which inherit it
    try:
        check_exposure(find_engine(settings.engine), settings)
        sock = bind(settings)
    except ConfigError as error:
        complain(str(error))
        return EX_CONFIG
    listening = f"listening on {address_of(sock, tls=settings.certfile is not None)}"
    try:
        if settings.workers == 1:
            return run_worker(spec, sock, Report(ready=lambda: announce(listening), failed=complain))
        return asyncio.run(
            Supervisor(spec, sock, lambda: announce(f"{listening}, {settings.workers} workers"), complain).run()
        )
    finally:
        sock.close()
        release(settings.unix_path)


class Supervisor:
    def __init__(
        self,
        spec: WorkerSpec,
        sock: socket.socket,
        all_ready: Callable[[], None],
        complain: Callable[[str], None],
    ) -> None:
        self._spec = spec
        self._sock = sock
        self._all_ready = all_ready
        self._complain = complain
        self._stopping = asyncio.Event()
        self._reload_asked = asyncio.Event()
        self._children: dict[int, Child] = {}
        self._ready: set[int] = set()
        self._owed_reload: set[int] = set()
        self._announced = False
        self._exit_code = EX_OK

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload_asked.set)
        async with asyncio.TaskGroup() as workers:
            keepers = [
                workers.create_task(self._keep(index), name=f"worker-{index}")
                for index in range(self._spec.settings.workers)
            ]
            reloads = workers.create_task(self._reloads(), name="reloads")
            await asyncio.wait(keepers)
            reloads.cancel()
        return self._exit_code

    async def _keep(self, index: int) -> None:
        """Keep one worker alive until stopping: each turn of the loop is the life of one process."""
        clock = asyncio.get_running_loop().time
        early_deaths, pause = 0, FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            born = clock()
            child = await Child.start(replace(self._spec, index=index), self._sock)
            self._children[index] = child
            if self._stopping.is_set():
                child.send(signal.SIGTERM)
            report = await child.first_report(START_SECONDS)
            if report.ready:
                self._note_ready(index)
            code = await child.wait()
            del self._children[index]
            self._ready.discard(index)
            if self._stopping.is_set():
                if code != EX_OK and report.ready:
                    self._exit_code = self._exit_code or EX_FAILED
                return
            if code == EX_CONFIG:
                self._give_up(report.message, EX_CONFIG)
                return
            early_deaths = 0 if report.ready else early_deaths + 1
            if early_deaths == EARLY_DEATHS:
                reason = f"worker {index} died at start {EARLY_DEATHS} times in a row: {report.message}"
                self._give_up(reason, EX_FAILED)
                return
            if report.ready and clock() - born > LONGEST_PAUSE_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            logger.warning("worker %s ended with code %s; starting another in %.1f s", index, code, pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _note_ready(self, index: int) -> None:
        self._ready.add(index)
        if not self._announced and len(self._ready) == self._spec.settings.workers:
            self._announced = True
            self._all_ready()
        if index in self._owed_reload:
            self._owed_reload.discard(index)
            self._children[index].send(signal.SIGHUP)

    def _give_up(self, reason: str, exit_code: int) -> None:
        if not self._stopping.is_set():
            self._complain(reason)
            self._exit_code = exit_code
            self._stop()

    def _stop(self) -> None:
        for child in self._children.values():
            child.send(signal.SIGTERM)
        if self._stopping.is_set():
            return
        self._stopping.set()
        # The kernel refuses new connections only when the last copy of the socket is closed; ours goes now.
        self._sock.close()
        settings = self._spec.settings
        patience = settings.lame_duck_seconds + settings.grace_seconds + LAST_SECONDS + KILL_MARGIN_SECONDS
        asyncio.get_running_loop().call_later(patience, self._kill_all)

    async def _reloads(self) -> None:
        """All workers or none: the new configuration is looked at once, by a process of its own, before any takes
        it."""
        while True:
            await self._reload_asked.wait()
            self._reload_asked.clear()
            problem = await self._problem()
            if problem is None:
                self._reload()
            else:
                logger.error("reload refused, the old configuration stays: %s", problem)

    async def _problem(self) -> str | None:
        if not self._spec.check:
            return None
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", *self._spec.check, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                _, told = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            return f"looking at it took more than {CHECK_SECONDS:g} s"
        return None if process.returncode == 0 else told.decode(errors="replace").strip()

    def _reload(self) -> None:
        """A worker that is still starting would die of SIGHUP, and may have read the old file: it gets its turn."""
        for index, child in self._children.items():
            if index in self._ready:
                child.send(signal.SIGHUP)
            else:
                self._owed_reload.add(index)

    def _kill_all(self) -> None:
        for child in self._children.values():
            logger.error("a worker did not end within the grace time; killing it")
            child.kill()
