"""Runs one floor application on Hypercorn with uvloop: `python -m bench.apps.serve NAME PORT`.
One process, HTTP/1.1, no access log."""

from __future__ import annotations

import asyncio
import importlib
import signal
import sys

import uvloop
from hypercorn.asyncio import serve
from hypercorn.config import Config


async def main(name: str, port: str) -> None:
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.keep_alive_max_requests = sys.maxsize  # otherwise connections are cut in mid-measurement
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    app = importlib.import_module(f"bench.apps.{name}").app

    async def stopped() -> None:
        await stop.wait()

    await serve(app, config, shutdown_trigger=stopped)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(*sys.argv[1:3]))
