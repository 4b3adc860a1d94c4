"""`python -m routeiq_testkit.simulated`: the simulated models as a process of their own.
It serves until SIGTERM or SIGINT and has no other commands.
"""

from __future__ import annotations

import argparse
import asyncio
import signal

from .server import SimulatedModels


async def serve(port: int, time_scale: float) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with SimulatedModels(port=port, time_scale=time_scale) as models:
        print(f"listening on {models.base_url}", flush=True)
        await stopped.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m routeiq_testkit.simulated", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one (default: 0)")
    parser.add_argument("--time-scale", type=float, default=1.0, help="factor on all latencies (default: 1.0)")
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.time_scale))


if __name__ == "__main__":
    main()
