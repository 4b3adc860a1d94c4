"""One worker: builds the application, runs it on its engine until told to stop, and drains. Also the child's entry.

Nothing here starts processes or binds addresses; with one worker the parent process runs this very code.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp

from routeiq.server.drain import Drain
from routeiq.server.engine import ENGINE_MARGIN_SECONDS, Engine, find_engine
from routeiq.server.guards import Guards
from routeiq.server.lifespan import LifespanWatch, StartFailed
from routeiq.server.listener import BACKLOG
from routeiq.server.reload import Reloads
from routeiq.server.settings import WorkerSpec
from routeiq_sdk.errors import ConfigError, RouteIQError

logger = logging.getLogger("routeiq.server")

EX_OK = 0
EX_FAILED = 1
EX_CONFIG = 78  # sysexits.h: starting again would not help

# After the cut: time for the engine to close and for the application's own shutdown (flushing ledgers and sinks).
LAST_SECONDS = ENGINE_MARGIN_SECONDS + 10.0


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker tells whoever started it. `failed` texts come from our own errors and hold no secret."""

    ready: Callable[[], None]
    failed: Callable[[str], None]


def run_worker(spec: WorkerSpec, sock: socket.socket, report: Report, lifeline: int | None = None) -> int:
    """Serve on `sock` until SIGTERM or SIGINT; the exit code. When `lifeline` reaches its end, the parent is gone."""
    try:
        engine = find_engine(spec.settings.engine)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_Worker(spec, spec.build(), engine, report).run(sock, lifeline))
    except ConfigError as error:
        report.failed(str(error))
        return EX_CONFIG
    except (RouteIQError, StartFailed) as error:
        report.failed(str(error))
        return EX_FAILED


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _rest_the_collector() -> None:
    """What a start made lives as long as the process: the garbage collector need not look at it again. Requests leave
    few cycles behind, so it may also come less often than its defaults have it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


class _Worker:
    def __init__(self, spec: WorkerSpec, app: ASGIApp, engine: Engine, report: Report) -> None:
        self._settings = spec.settings
        self._engine = engine
        self._report = report
        self._drain: Drain = getattr(app, "drain", None) or Drain()
        self._reloads = Reloads(app)
        self._app = app

    async def run(self, sock: socket.socket, lifeline: int | None) -> int:
        def started() -> None:
            _rest_the_collector()
            sock.listen(BACKLOG)
            self._report.ready()

        guarded = Guards(self._app, self._settings)
        watch = LifespanWatch(self._drain.track(guarded), started)
        try:
            async with asyncio.timeout(None) as limit:
                with self._signals(watch, limit, lifeline):
                    async with self._reloads.answered():
                        await self._engine.serve(watch, sock, self._settings, lambda: self._shutdown(limit))
        except TimeoutError:
            if watch.started:
                logger.error("the engine or the application did not stop in time; ending without them")
                return EX_FAILED
        except Exception:
            if watch.failure is None:
                raise
        if watch.failure is not None:
            raise watch.failure
        return EX_OK if self._drain.draining else EX_FAILED

    async def _shutdown(self, limit: asyncio.Timeout) -> None:
        """Returns when the engine is to close the listening socket; from then on the grace time runs."""
        await self._drain.begun()
        await asyncio.sleep(self._settings.lame_duck_seconds)
        loop = asyncio.get_running_loop()
        loop.call_later(self._settings.grace_seconds, self._drain.cut)
        limit.reschedule(loop.time() + self._settings.grace_seconds + LAST_SECONDS)

    @contextlib.contextmanager
    def _signals(self, watch: LifespanWatch, limit: asyncio.Timeout, lifeline: int | None) -> Iterator[None]:
        loop = asyncio.get_running_loop()

        def stop() -> None:
            if self._drain.draining:
                self._drain.cut()  # a second signal: somebody is in a hurry
            self._drain.begin()
            if not (watch.started or limit.expired()):
                limit.reschedule(loop.time())  # nothing to drain yet

        handlers: dict[int, Callable[[], Any]] = {
            signal.SIGTERM: stop,
            signal.SIGINT: stop,
            signal.SIGHUP: self._reloads.ask,
        }
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        if lifeline is not None:

            def orphaned(lifeline: int = lifeline) -> None:
                loop.remove_reader(lifeline)
                if not self._drain.draining:
                    stop()

            loop.add_reader(lifeline, orphaned)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)
            if lifeline is not None:
                loop.remove_reader(lifeline)


def main(arguments: list[str]) -> int:
    """`python -m routeiq.server.worker SPEC LISTEN_FD CONTROL_FD`: started by the supervisor only."""
    spec_text, listen_fd, control_fd = arguments
    control = int(control_fd)

    def tell(**message: object) -> None:
        with contextlib.suppress(BrokenPipeError):  # the parent is gone: the lifeline says so too
            os.write(control, json.dumps(message).encode() + b"\n")

    report = Report(ready=lambda: tell(ready=True), failed=lambda text: tell(ready=False, message=text))
    return run_worker(WorkerSpec.from_json(spec_text), socket.socket(fileno=int(listen_fd)), report, control)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
