"""Malformed requests over raw sockets against every engine, judged by the table that the documentation prints."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from processes import exchange, server

from routeiq.server.engine import engine_names, find_engine
from routeiq.server.probes import ENGINES, Probe, load_probes, markdown

PROBES = load_probes()
WATCH_SECONDS = 4.0  # well beyond the limits of 1 s that the probed servers run with
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
Outcomes = dict[tuple[str, str], str]


@pytest.fixture(scope="module")
def outcomes() -> Outcomes:
    """All probes at once against one engine after another."""

    async def probe_all() -> Outcomes:
        found: Outcomes = {}
        for engine in ENGINES:
            async with server(engine=engine, keep_alive_seconds=1.0, body_seconds=1.0) as running:
                await running.line("listening on")
                results = await asyncio.gather(*(observe(probe, running.port) for probe in PROBES))
                found |= {(engine, probe.name): result for probe, result in zip(PROBES, results, strict=True)}
        return found

    return asyncio.run(probe_all())


async def observe(probe: Probe, port: int) -> str:
    """The outcome in the words of probes.toml."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(probe.payload)
        seen, ended = await read_until(reader, probe.answers, b"")
        statuses = STATUS.findall(seen)
        fate = "closed" if ended else "open"
        if statuses and not ended:
            writer.write(b"GET /plain HTTP/1.1\r\nHost: a\r\n\r\n")
            seen, ended = await read_until(reader, probe.answers + 1, seen)
            fate = "kept" if len(STATUS.findall(seen)) > probe.answers else "closed" if ended else "open"
        leaked = " leaked" if probe.leak and probe.leak.encode() in seen else ""
        return f"{b'+'.join(statuses).decode() or 'none'} {fate}{leaked}"
    finally:
        writer.close()


async def read_until(reader: asyncio.StreamReader, answers: int, seen: bytes) -> tuple[bytes, bool]:
    """Read on until that many answers have begun, or the end; the bytes so far and whether it was the end."""
    try:
        async with asyncio.timeout(WATCH_SECONDS):
            while len(STATUS.findall(seen)) < answers:
                data = await reader.read(65536)
                if not data:
                    return seen, True
                seen += data
    except TimeoutError:
        return seen, False
    except ConnectionError:
        return seen, True
    return seen, False


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_each_engine_does_what_the_table_says(engine: str, probe: Probe, outcomes: Outcomes) -> None:
    assert outcomes[engine, probe.name] == probe.expect[engine]


def test_the_table_covers_every_engine_that_is_shipped() -> None:
    assert sorted(ENGINES) == engine_names()
    for probe in PROBES:
        assert set(probe.expect) == set(ENGINES), probe.name


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_is_safe_alone_only_if_it_falls_short_nowhere(engine: str) -> None:
    assert find_engine(engine).safe_alone == (not any(engine in probe.cannot for probe in PROBES))


def test_what_an_engine_cannot_refuse_is_printed_with_its_reason() -> None:
    page = markdown()
    for probe in PROBES:
        assert probe.title in page
        for engine, reason in probe.cannot.items():
            assert f"**{probe.expect[engine]}**" in page
            assert f"{engine}, {probe.title}: {reason}." in page


async def test_a_refusal_is_json_that_can_be_traced_and_says_that_the_connection_ends() -> None:
    async with server() as running:
        await running.line("listening on")
        answer = await exchange(running.port, PROBES[0].send)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert re.search(rb"x-routeiq-request-id: [0-9a-f]{32}\r\n", head)
    assert b"connection: close" in head
    error = json.loads(body)["error"]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, "ambiguous_length")


async def test_an_h2c_request_cannot_pass_in_the_body_of_an_upgrade() -> None:
    """With a body Hypercorn would not upgrade; the field alone is enough to be refused."""
    async with server() as running:
        await running.line("listening on")
        upgrade = "POST /length HTTP/1.1\r\nHost: a\r\nUpgrade: H2C\r\nContent-Length: 2\r\n\r\nok"
        assert b"http2_not_offered" in await exchange(running.port, upgrade)
