"""Brings contenders up in front of a mock upstream, checks that they answer rightly, and takes them down.
Measures only how long the way to the first answer is; load and judgement live elsewhere."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.contenders import MODEL, Command, Contender, Place
from bench.processes import ProcessTree
from bench.provision import BenchSetupError, compiled_mock, require

CONTENDER_CORE = 0
LOAD_CORE = 1
START_DEADLINE = 90.0
ANSWER_TIMEOUT = 15.0


class WrongAnswer(RuntimeError):
    """A contender is up but does not relay what the upstream said."""


@dataclass(frozen=True)
class Started:
    """Seconds of wall clock from exec to the open port and to the first right answer; CPU spent until then."""

    port_open: float
    first_answer: float
    cpu: float


@dataclass(frozen=True)
class Running:
    contender: Contender
    tree: ProcessTree
    port: int
    headers: dict[str, str]
    started: Started


def claim_cores() -> None:
    """Keep the bench itself off the contender's core."""
    require("taskset", "setpriv")
    if (os.cpu_count() or 1) < 2:
        raise BenchSetupError("one core for the contender and one for the load are needed; this machine has one")
    os.sched_setaffinity(0, {LOAD_CORE})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def mock_upstream(cache: Path, gap_ms: int, chunks: int = 30) -> Iterator[tuple[ProcessTree, int]]:
    program, port = compiled_mock(cache), free_port()
    with tempfile.TemporaryDirectory(prefix="bench-mock-") as name, ExitStack() as stack:
        argv = [str(program), str(port), str(gap_ms), str(chunks)]
        tree = stack.enter_context(ProcessTree(argv, core=LOAD_CORE, env={}, folder=Path(name)))
        _await_port(tree, port, time.monotonic())
        yield tree, port


@contextmanager
def running(contender: Contender, upstream_port: int, cache: Path) -> Iterator[Running]:
    with tempfile.TemporaryDirectory(prefix=f"bench-{contender.name}-") as name, ExitStack() as stack:
        # nginx started by root lets its worker be an ordinary user, who must be able to reach these folders.
        Path(name).chmod(0o755)
        key = f"sk-bench-{secrets.token_hex(16)}"
        place = Place(free_port(), upstream_port, Path(name), cache, key)
        command = contender.command(place)
        began = time.monotonic()
        tree = ProcessTree(command.argv, core=CONTENDER_CORE, env=command.full_env(), folder=place.folder)
        stack.enter_context(tree)
        started = _await_answer(tree, place, command, began)
        if contender.streams:
            check_stream(place.port, command.headers)
        yield Running(contender, tree, place.port, dict(command.headers), started)


def _await_port(tree: ProcessTree, port: int, began: float) -> float:
    while time.monotonic() - began < START_DEADLINE:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            tree.raise_if_ended()
            time.sleep(0.003)
        else:
            return time.monotonic() - began
    raise WrongAnswer(f"port closed after {START_DEADLINE:.0f} s; end of the log:\n{tree.log_tail()}")


def _await_answer(tree: ProcessTree, place: Place, command: Command, began: float) -> Started:
    port_open = _await_port(tree, place.port, began)
    problem = "no answer"
    while time.monotonic() - began < START_DEADLINE:
        try:
            status, body = post_chat(place.port, command.headers, stream=False)
        except (OSError, http.client.HTTPException) as error:
            problem = repr(error)
        else:
            if status == 200 and b'"choices"' in body:
                return Started(port_open, time.monotonic() - began, tree.cpu_seconds())
            problem = f"{status} {body[:400]!r}"
        tree.raise_if_ended()
        time.sleep(0.01)
    raise WrongAnswer(f"no right answer after {START_DEADLINE:.0f} s, last: {problem}\n{tree.log_tail()}")


def check_stream(port: int, headers: Mapping[str, str]) -> None:
    status, body = post_chat(port, headers, stream=True)
    if status != 200 or b"word001" not in body or b"[DONE]" not in body:
        raise WrongAnswer(f"stream: {status} {body[-400:]!r}")


def post_chat(port: int, headers: Mapping[str, str], *, stream: bool) -> tuple[int, bytes]:
    body = {"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": "hello"}]}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_TIMEOUT)
    try:
        head = {"Content-Type": "application/json", **headers}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), head)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
