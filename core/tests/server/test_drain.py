"""SIGTERM with live streams, on every engine with one and with two workers: real processes, real sockets."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass

import pytest
from processes import exchange, get, server, status_of

from routeiq.server.probes import ENGINES

CASES = list(itertools.product(ENGINES, (1, 2)))
STREAMS = 4
TERMINATOR = b"0\r\n\r\n"
each_case = pytest.mark.parametrize(("engine", "workers"), CASES)


@dataclass
class Farewell:
    """What clients saw from SIGTERM to the end of one server."""

    streams: list[bytes]
    first_unready: int
    streams_live_when_refused: int
    exit_code: int
    lines: list[str]
    seconds: float


async def first_bytes(port: int, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
    """A stream that has really begun."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    seen = b""
    async with asyncio.timeout(20):
        while b"data: 0" not in seen:
            data = await reader.read(4096)
            assert data, seen
            seen += data
    return reader, writer, seen


async def rest(reader: asyncio.StreamReader, seen: bytes) -> bytes:
    """Everything up to the end of the answer or of the connection."""
    try:
        while not seen.endswith(TERMINATOR) and (data := await reader.read(4096)):
            seen += data
    except ConnectionError:
        pass
    return seen


async def farewell(engine: str, workers: int, path: str, grace: float, lame_duck: float) -> Farewell:
    loop = asyncio.get_running_loop()
    async with server(engine=engine, workers=workers, grace_seconds=grace, lame_duck_seconds=lame_duck) as running:
        await running.line("listening on")
        port = running.port
        begun = await asyncio.gather(*(first_bytes(port, path) for _ in range(STREAMS)))
        idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", port)
        idle_writer.write(get("/plain").replace("Connection: close\r\n", "").encode())
        await idle_reader.readuntil(b"}")
        endings = [asyncio.create_task(rest(reader, seen)) for reader, _, seen in begun]
        running.terminate()
        start = loop.time()
        first_unready = 0
        try:
            async with asyncio.timeout(10):
                while True:
                    answer = await exchange(port, get("/ready"))
                    if not answer:
                        break
                    if status_of(answer) != 200:
                        first_unready = first_unready or status_of(answer)
        except ConnectionError:
            pass
        live = sum(not ending.done() for ending in endings)
        async with asyncio.timeout(20):
            streams = await asyncio.gather(*endings)
        exit_code = await running.exit_code()
        for writer in [idle_writer, *(writer for _, writer, _ in begun)]:
            writer.close()
        return Farewell(streams, first_unready, live, exit_code, running.lines, loop.time() - start)


def farewells(path: str, grace: float, lame_duck: float) -> dict[tuple[str, int], Farewell]:
    async def all_cases() -> list[Farewell]:
        return await asyncio.gather(*(farewell(*case, path, grace, lame_duck) for case in CASES))

    return dict(zip(CASES, asyncio.run(all_cases()), strict=True))


@pytest.fixture(scope="module")
def patient() -> dict[tuple[str, int], Farewell]:
    """Streams of 2 s, far less than the grace time."""
    return farewells("/stream?20,100", grace=20.0, lame_duck=0.7)


@pytest.fixture(scope="module")
def hasty() -> dict[tuple[str, int], Farewell]:
    """Streams that would last a minute, a grace time of 0.5 s, no lame duck."""
    return farewells("/stream?600,100", grace=0.5, lame_duck=0.0)


@each_case
def test_live_streams_finish_within_the_grace_time(
    engine: str, workers: int, patient: dict[tuple[str, int], Farewell]
) -> None:
    for stream in patient[engine, workers].streams:
        assert b"data: 19\n\n" in stream
        assert b"data: [DONE]" in stream
        assert stream.endswith(TERMINATOR)
    assert patient[engine, workers].exit_code == 0


@each_case
def test_readiness_goes_false_before_connections_are_refused(
    engine: str, workers: int, patient: dict[tuple[str, int], Farewell]
) -> None:
    assert patient[engine, workers].first_unready == 503


@each_case
def test_new_connections_are_refused_while_streams_still_live(
    engine: str, workers: int, patient: dict[tuple[str, int], Farewell]
) -> None:
    assert patient[engine, workers].streams_live_when_refused == STREAMS


@each_case
def test_an_idle_connection_does_not_hold_the_process(
    engine: str, workers: int, patient: dict[tuple[str, int], Farewell]
) -> None:
    assert patient[engine, workers].seconds < 10


@each_case
def test_what_is_left_after_the_grace_time_is_cut_visibly(
    engine: str, workers: int, hasty: dict[tuple[str, int], Farewell]
) -> None:
    for stream in hasty[engine, workers].streams:
        assert b"data: 1\n\n" in stream
        assert not stream.endswith(TERMINATOR)
    assert hasty[engine, workers].seconds < 8
    assert hasty[engine, workers].exit_code == 0


@each_case
def test_the_application_is_stopped_properly_also_after_a_cut(
    engine: str, workers: int, hasty: dict[tuple[str, int], Farewell]
) -> None:
    assert hasty[engine, workers].lines.count("application stopped") == workers


async def test_a_second_signal_cuts_at_once() -> None:
    async with server(grace_seconds=60.0) as running:
        await running.line("listening on")
        reader, writer, seen = await first_bytes(running.port, "/stream?600,100")
        running.terminate()
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(5):
                while await exchange(running.port, get("/ready")):
                    pass
                raise ConnectionResetError  # accepted by the kernel and closed: refused all the same
        running.terminate()
        assert not (await rest(reader, seen)).endswith(TERMINATOR)
        writer.close()
        assert await running.exit_code() == 0


@each_case
async def test_sigterm_before_readiness_ends_without_waiting_for_the_grace_time(engine: str, workers: int) -> None:
    async with server("never_ready", engine=engine, workers=workers, grace_seconds=60.0) as running:
        await running.line("application starting")
        running.terminate()
        async with asyncio.timeout(10):
            assert await running.exit_code() == 0
