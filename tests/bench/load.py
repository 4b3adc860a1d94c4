"""Load: what to ask for (concurrency, plain or streaming), and wrk asking it.
Judging the answers' cost is `measure`'s business, not this module's."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bench.provision import HERE, tool

REQUEST_TIMEOUT = 30


class Mode(StrEnum):
    PLAIN = ""
    STREAM = "s"  # events back to back
    PACED = "p"  # events as far apart as the paced mock sends them


@dataclass(frozen=True)
class Load:
    """So many connections, each sending its next request when the last is answered. Written `16`, `16s`, `64p`."""

    concurrency: int
    mode: Mode = Mode.PLAIN

    @classmethod
    def parse(cls, text: str) -> Load:
        match = re.fullmatch(r"([1-9][0-9]{0,3})([sp]?)", text.strip())
        if match is None:
            raise ValueError(f"load {text!r}: write a number of connections, then s (stream) or p (paced) or nothing")
        return cls(int(match[1]), Mode(match[2]))

    def __str__(self) -> str:
        return f"{self.concurrency}{self.mode.value}"


@dataclass(frozen=True)
class Answered:
    """What wrk counted in one run."""

    requests: int
    seconds: float
    bytes: int
    bad_status: int
    socket_errors: int
    p50_ms: float
    p99_ms: float


class LoadFailed(RuntimeError):
    """wrk did not finish or printed no summary."""


def parse_wrk(output: str) -> Answered:
    for line in output.splitlines():
        if line.startswith("BENCH "):
            return Answered(**json.loads(line.removeprefix("BENCH ")))
    raise LoadFailed(f"wrk printed no summary:\n{output[-2000:]}")


def run_wrk(port: int, load: Load, seconds: int, *, core: int, model: str, headers: Mapping[str, str]) -> Answered:
    argv = [
        *("taskset", "-c", str(core), tool("wrk"), "-t1", f"-c{load.concurrency}", f"-d{seconds}s"),
        *("--timeout", f"{REQUEST_TIMEOUT}s", "-s", str(HERE / "chat.lua"), f"http://127.0.0.1:{port}"),
    ]
    env = {
        **os.environ,
        "BENCH_STREAM": "0" if load.mode is Mode.PLAIN else "1",
        "BENCH_MODEL": model,
        "BENCH_HEADERS": "\n".join(f"{name}: {value}" for name, value in headers.items()),
    }
    try:
        done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=seconds + REQUEST_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise LoadFailed(f"wrk did not end within {REQUEST_TIMEOUT} s of its time") from None
    return parse_wrk(done.stdout + done.stderr)
