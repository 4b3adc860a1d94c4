"""The mock upstream speaks HTTP/1.1 and the OpenAI wire well enough to measure gateways with."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.arena import mock_upstream

Address = tuple[str, int]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench-cache")


@pytest.fixture(scope="module")
def mock(cache: Path) -> Iterator[Address]:
    with mock_upstream(cache, gap_ms=0) as (_, port):
        yield "127.0.0.1", port


@pytest.fixture(scope="module")
def paced(cache: Path) -> Iterator[Address]:
    with mock_upstream(cache, gap_ms=5, chunks=10) as (_, port):
        yield "127.0.0.1", port


def post(body: str, *headers: str) -> bytes:
    lines = ["POST /v1/chat/completions HTTP/1.1", "host: mock", f"content-length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


PLAIN = post('{"messages":[]}')
STREAM = post('{"stream": true}')
LAST = post("{}", "connection: close")


def talk(address: Address, *parts: bytes) -> bytes:
    """Sends the parts one by one and reads until the server hangs up; the last request must ask for that."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            connection.sendall(part)
        blocks = []
        while block := connection.recv(65536):
            blocks.append(block)
        return b"".join(blocks)


def events(wire: bytes) -> list[str]:
    """The SSE payloads of one chunked answer."""
    return [line.removeprefix("data: ") for line in wire.decode().split("\r\n") if line.startswith("data: ")]


def test_a_completion_is_whole_and_of_the_stated_size(mock: Address) -> None:
    head, _, body = talk(mock, LAST).partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head
    assert 550 <= len(body) <= 600
    assert json.loads(body)["usage"]["total_tokens"] == 250


def test_models_are_listed(mock: Address) -> None:
    _, _, body = talk(mock, b"GET /v1/models HTTP/1.1\r\nhost: mock\r\nconnection: close\r\n\r\n").partition(
        b"\r\n\r\n"
    )
    assert [model["id"] for model in json.loads(body)["data"]] == ["bench-model"]


@pytest.mark.parametrize("address", ["mock", "paced"])
def test_pipelined_requests_are_answered_in_order(address: str, request: pytest.FixtureRequest) -> None:
    wire = talk(request.getfixturevalue(address), PLAIN + STREAM + PLAIN + LAST)
    kinds = [part.split(b"\r\n", 2)[1] for part in wire.split(b"HTTP/1.1 200 OK")[1:]]
    assert [b"event-stream" in kind for kind in kinds] == [False, True, False, False]


def test_a_request_may_arrive_in_any_pieces(mock: Address) -> None:
    whole = PLAIN + LAST
    assert talk(mock, *(whole[at : at + 1] for at in range(len(whole)))).count(b"HTTP/1.1 200 OK") == 2


def test_a_chunked_request_body_is_understood(mock: Address) -> None:
    head = b"POST / HTTP/1.1\r\nhost: mock\r\ntransfer-encoding: chunked\r\n\r\n"
    wire = talk(mock, head, b'9\r\n{"stream"\r\n', b"6\r\n:true}\r\n0\r\n", b"\r\n", LAST)
    assert wire.count(b"HTTP/1.1 200 OK") == 2
    assert events(wire)[-1].strip() == "[DONE]"


def test_expect_continue_is_honoured(mock: Address) -> None:
    request = post("{}", "expect: 100-continue", "connection: close")
    with socket.create_connection(mock, timeout=10) as connection:
        connection.sendall(request[:-2])
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(request[-2:])
        assert connection.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_a_stream_has_its_events_then_usage_then_done(mock: Address) -> None:
    told = events(talk(mock, STREAM + LAST))
    chunks = [json.loads(event) for event in told[:-1]]
    assert told[-1].strip() == "[DONE]"
    assert len(chunks) == 31
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[29]["choices"][0]["finish_reason"] == "stop"
    assert (chunks[30]["choices"], chunks[30]["usage"]["completion_tokens"]) == ([], 30)


def test_a_paced_stream_keeps_its_gaps(paced: Address) -> None:
    began = time.monotonic()
    assert len(events(talk(paced, STREAM + LAST))) == 12
    assert time.monotonic() - began >= 10 * 0.005


def test_a_client_that_leaves_in_mid_stream_harms_nobody(paced: Address) -> None:
    for _ in range(20):
        with socket.create_connection(paced, timeout=10) as connection:
            connection.sendall(STREAM)
            assert connection.recv(10) == b"HTTP/1.1 2"
    assert len(events(talk(paced, STREAM + LAST))) == 12


def test_a_client_that_reads_slowly_still_gets_every_byte(mock: Address) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect(mock)
        connection.sendall(STREAM * 400 + LAST)
        wire = b"".join(iter(lambda: connection.recv(65536), b""))
    assert wire.count(b"data: [DONE]") == 400
