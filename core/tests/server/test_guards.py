"""What the guards refuse and let pass, judged on ASGI scopes alone; what engines deliver is in test_probes."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import Any

import pytest

from routeiq.server.guards import Guards, Rules, inspect
from routeiq.server.refusals import AMBIGUOUS_LENGTH, BAD_HOST, HEAD_TOO_LARGE, NO_HTTP2, OLD_CHUNKED, Refusal
from routeiq.server.settings import ServerSettings

HOST = (b"host", b"a")
LENGTH = (b"content-length", b"2")
CHUNKED = (b"transfer-encoding", b"chunked")
Header = tuple[bytes, bytes]
OPEN = ServerSettings(allowed_hosts=("*",))
RULES = Rules.of(OPEN)


def scope(*headers: Header, version: str = "1.1", kind: str = "http") -> dict[str, Any]:
    return {"type": kind, "http_version": version, "path": "/", "headers": list(headers), "client": ("127.0.0.1", 1)}


@pytest.mark.parametrize(
    ("headers", "version", "verdict"),
    [
        ([HOST], "1.1", None),
        ([HOST, LENGTH], "1.1", None),
        ([HOST, CHUNKED], "1.1", None),
        ([HOST, (b"upgrade", b"websocket")], "1.1", None),
        ([], "1.0", None),
        ([], "1.1", BAD_HOST),
        ([(b"host", b"")], "1.1", BAD_HOST),
        ([HOST, HOST], "1.1", BAD_HOST),
        ([HOST, HOST], "1.0", BAD_HOST),
        ([HOST, LENGTH, CHUNKED], "1.1", AMBIGUOUS_LENGTH),
        ([HOST, CHUNKED, LENGTH], "1.1", AMBIGUOUS_LENGTH),
        ([HOST, CHUNKED], "1.0", OLD_CHUNKED),
        ([HOST, (b"upgrade", b"H2C")], "1.1", NO_HTTP2),
        ([HOST], "2", NO_HTTP2),
        ([HOST], "2.0", NO_HTTP2),
    ],
)
def test_framing_in_doubt_is_refused(headers: list[Header], version: str, verdict: Refusal | None) -> None:
    assert inspect(scope(*headers, version=version), RULES) is verdict


def test_the_head_limit_is_exact() -> None:
    head = scope(HOST, (b"x", b"y" * 100))
    size = sum(len(name) + len(value) + len(": \r\n") for name, value in head["headers"])
    assert inspect(head, replace(RULES, head_bytes=size)) is None
    assert inspect(head, replace(RULES, head_bytes=size - 1)) is HEAD_TOO_LARGE


async def test_a_refused_request_never_reaches_the_application() -> None:
    async def app(*_: Any) -> None:
        raise AssertionError("reached")

    async def receive() -> dict[str, Any]:
        raise AssertionError("the body was read")

    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    guards = Guards(app, OPEN)
    await guards(scope(HOST, HOST), receive, send)
    assert [sent[0]["status"], len(sent)] == [400, 2]
    await guards(scope(HOST, HOST, kind="websocket"), receive, send)
    assert sent[2]["type"] == "websocket.close"


def test_an_inspection_costs_microseconds() -> None:
    usual = [HOST, LENGTH, *((b"x-header-%d" % number, b"value") for number in range(10))]
    head = scope(*usual)
    best = float("inf")
    for _ in range(5):
        start = perf_counter()
        for _ in range(1000):
            inspect(head, RULES)
        best = min(best, (perf_counter() - start) / 1000)
    assert best < 20e-6  # about 2 on a quiet machine
