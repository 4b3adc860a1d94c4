"""V26: no framing makes an engine answer a request that a strict reader takes for the body of another one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from routeiq.server.probes import ENGINES
from routeiq_testkit.raw import RawReply, raw_exchange

from .served_gateway import SERVED_KEY

MARK = b'"in_flight"'
INNER = (
    b"GET /routeiq/v1/status HTTP/1.1\r\nHost: localhost\r\nX-Inner: yes\r\n"
    b"Authorization: Bearer " + SERVED_KEY.encode() + b"\r\n\r\n"
)
HONEST = INNER.replace(b"X-Inner: yes", b"Connection: close")
CHUNKED = b"0\r\n\r\n" + INNER


def head(
    *lines: bytes, method: bytes = b"POST", target: bytes = b"/v1/chat/completions", end: bytes = b"\r\n"
) -> bytes:
    return end.join([method + b" " + target + b" HTTP/1.1", b"Host: localhost", *lines, b"", b""])


def sized(*lines: bytes, body: bytes = INNER, **told: Any) -> bytes:
    """A request whose Content-Length covers all of `body`."""
    return head(b"Content-Length: %d" % len(body), *lines, **told) + body


def chunked(size_line: bytes, rest: bytes) -> bytes:
    return head(b"Transfer-Encoding: chunked") + size_line + rest


TWO_WAYS = {
    "CL.TE": sized(b"Transfer-Encoding: chunked", body=CHUNKED),
    "TE.CL": head(b"Transfer-Encoding: chunked", b"Content-Length: 4")
    + b"%x\r\n" % len(INNER) + INNER + b"\r\n0\r\n\r\n",
    "CL.TE with tabs": sized(b"Transfer-Encoding:\tchunked", body=CHUNKED),
    "CL.TE in capitals": sized(b"TRANSFER-ENCODING: CHUNKED", body=CHUNKED),
    "CL.TE with a list": sized(b"Transfer-Encoding: chunked, identity", body=CHUNKED),
    "CL.TE twice": sized(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=CHUNKED),
    "CL.TE twice, other order": sized(b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked", body=CHUNKED),
    "CL.TE folded": sized(b"Transfer-Encoding:\r\n chunked", body=CHUNKED),
    "CL.TE folded with a tab": sized(b"Transfer-Encoding:\r\n\tchunked", body=CHUNKED),
    "CL.TE with a space before the colon": sized(b"Transfer-Encoding : chunked", body=CHUNKED),
    "CL.TE with a vertical tab": sized(b"Transfer-Encoding: \x0bchunked", body=CHUNKED),
    "CL.TE with a zero byte": sized(b"Transfer-Encoding: chunked\x00", body=CHUNKED),
    "CL.TE nearly": sized(b"Transfer-Encoding: xchunked", body=CHUNKED),
    "CL.TE quoted": sized(b'Transfer-Encoding: "chunked"', body=CHUNKED),
    "CL.TE with a parameter": sized(b"Transfer-Encoding: chunked;q=1", body=CHUNKED),
    "CL.TE behind a bare LF": sized(b"X: y\nTransfer-Encoding: chunked", body=CHUNKED),
    "CL.TE behind a bare CR": sized(b"X: y\rTransfer-Encoding: chunked", body=CHUNKED),
    "CL.TE in HTTP/1.0": sized(b"Transfer-Encoding: chunked", body=CHUNKED).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "CL.CL, short first": head(b"Content-Length: 0", b"Content-Length: %d" % len(INNER)) + INNER,
    "CL.CL, long first": head(b"Content-Length: %d" % len(INNER), b"Content-Length: 0") + INNER,
    "a list of lengths": head(b"Content-Length: %d, 0" % len(INNER)) + INNER,
    "a list of lengths, short first": head(b"Content-Length: 0, %d" % len(INNER)) + INNER,
    "a length with a sign": head(b"Content-Length: +0") + INNER,
    "a negative length": head(b"Content-Length: -1") + INNER,
    "a hexadecimal length": head(b"Content-Length: 0x0") + INNER,
    "a length with words": head(b"Content-Length: 0 x") + INNER,
    "a length with a zero byte": head(b"Content-Length: 0\x00") + INNER,
    "a length in other digits": head("Content-Length: \u0660".encode()) + INNER,
    "an empty length": head(b"Content-Length:") + INNER,
    "a length with an underscore": head(b"Content-Length: 0_0") + INNER,
    "a length too large": head(b"Content-Length: " + b"9" * 40) + INNER,
    "a length with a space before the colon": head(b"Content-Length : 0") + INNER,
    "a folded length": head(b"Content-Length:\r\n %d" % len(INNER), b"Content-Length: 0") + INNER,
    "a header without a name": head(b": x") + INNER,
    "a header without a colon": head(b"Content-Length 0") + INNER,
    "a zero byte in a name": head(b"Content-Len\x00gth: 0") + INNER,
}  # fmt: skip
ONE_WAY = {  # odd, but every reader that follows the standard finds the same end, or none
    "a folded value that looks like a header": sized(b"X: y\r\n Transfer-Encoding: chunked", body=CHUNKED),
    "another header of a like name": sized(b"Transfer_Encoding: chunked", body=CHUNKED),
    "a length that wraps at 64 bits": head(b"Content-Length: 18446744073709551616") + INNER,
    "a size that overflows": chunked(b"1" + b"0" * 16 + b"\r\n", CHUNKED),
}
SIZE = b"%x" % len(INNER)
BAD_CHUNKS = {
    "a size in another base": chunked(b"0x%s\r\n" % SIZE, INNER + b"\r\n0\r\n\r\n"),
    "a size with a sign": chunked(b"+%s\r\n" % SIZE, INNER + b"\r\n0\r\n\r\n"),
    "a negative size": chunked(b"-1\r\n", CHUNKED),
    "an endless size": chunked(b"0" * 5_000 + b"1\r\n", CHUNKED),
    "an empty size": chunked(b"\r\n", CHUNKED),
    "a size with an underscore": chunked(b"1_0\r\n", CHUNKED),
    "a chunk that does not end": chunked(b"2\r\nokXX", CHUNKED),
    "a chunk that ends in LF": chunked(b"2\r\nok\n", CHUNKED),
    "an extension with a bare LF": chunked(b"2;a\nxx\r\n", INNER + b"0\r\n\r\n"),
    "an extension with a bare CR": chunked(b"2;a\rxx\r\n", INNER + b"0\r\n\r\n"),
    "an endless extension": chunked(b"2;" + b"a" * 300_000 + b"\r\nok\r\n", b"0\r\n\r\n"),
    "a size ended by LF": chunked(b"%s\n" % SIZE, INNER + b"\r\n0\r\n\r\n"),
}
# One request each, with `INNER` in its body: routes that never read a body, refusals, and a client that was to wait.
UNREAD_BODIES = {
    "a probe": sized(method=b"GET", target=b"/health/liveliness"),
    "a probe, chunked": head(b"Transfer-Encoding: chunked", method=b"GET", target=b"/health/liveliness")
    + SIZE + b"\r\n" + INNER + b"\r\n0\r\n\r\n",
    "HEAD": sized(method=b"HEAD", target=b"/health/liveliness"),
    "no such route": sized(target=b"/nothing"),
    "no such method": sized(method=b"DELETE", target=b"/health/liveliness"),
    "no key": sized(),
    "a foreign host": sized().replace(b"Host: localhost", b"Host: evil.example", 1),
    "a foreign origin": sized(b"Origin: https://evil.example"),
    "a compressed body": sized(b"Content-Encoding: gzip"),
    "an expectation": sized(b"Expect: 100-continue"),
    "an unknown expectation": sized(b"Expect: 200-ok"),
    "an upgrade": sized(b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AAMAAABk"),
    "a websocket": sized(b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13",
                         b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
    "CONNECT": sized(method=b"CONNECT", target=b"localhost:443"),
    "TRACE": sized(method=b"TRACE", target=b"/"),
}  # fmt: skip
NOT_HTTP1 = {
    "HTTP/2 without asking": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + INNER,
    "HTTP/0.9": b"GET /health/liveliness\r\n" + INNER,
    "HTTP/1.2": b"GET /health/liveliness HTTP/1.2\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
    "HTTP/3": b"GET /health/liveliness HTTP/3\r\nHost: localhost\r\n\r\n" + INNER,
    "no version": b"GET /health/liveliness HTTP/\r\nHost: localhost\r\n\r\n" + INNER,
    "spaces in the target": b"GET /health/ liveliness HTTP/1.1\r\nHost: localhost\r\n\r\n" + INNER,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64 + INNER,
    "a folded first line": b"GET /health/liveliness HTTP/1.1\r\n Host: localhost\r\n\r\n" + INNER,
}


async def attacked(origin: str, payloads: dict[str, bytes]) -> dict[str, RawReply]:
    replies = await asyncio.gather(*(raw_exchange(origin, payload, quiet_seconds=5) for payload in payloads.values()))
    return dict(zip(payloads, replies, strict=True))


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_request_inside_another_is_never_answered(serve, tmp_path, engine: str) -> None:
    async with serve(tmp_path, {}, "--engine", engine) as served:
        honest = await raw_exchange(served.url, HONEST)
        assert (honest.status, MARK in honest.data) == (200, True)  # or the test would prove nothing
        replies = await attacked(served.url, {**TWO_WAYS, **ONE_WAY, **BAD_CHUNKS, **UNREAD_BODIES, **NOT_HTTP1})
        assert [name for name, reply in replies.items() if MARK in reply.data] == []
        assert [name for name, reply in replies.items() if 500 <= reply.status != 501] == []
        assert MARK in (await raw_exchange(served.url, HONEST)).data
        assert b"Traceback" not in served.said


async def test_the_default_engine_refuses_what_can_be_read_two_ways_and_hangs_up(serve, tmp_path) -> None:
    async with serve(tmp_path, {}) as served:
        replies = await attacked(served.url, {**TWO_WAYS, **BAD_CHUNKS})
        assert {name: reply.status for name, reply in replies.items() if not 400 <= reply.status < 502} == {}
        assert [name for name, reply in replies.items() if not reply.closed] == []


async def test_pipelined_requests_are_each_judged_by_their_own_key(serve, tmp_path) -> None:
    """What is allowed between clients that share a connection through a proxy: no request lends another its key."""
    anonymous = INNER.replace(b"Authorization: Bearer " + SERVED_KEY.encode() + b"\r\n", b"")
    async with serve(tmp_path, {}) as served:
        last = anonymous.replace(b"X-Inner: yes", b"Connection: close")
        reply = await raw_exchange(served.url, INNER + anonymous + INNER + last)
        assert reply.statuses == [200, 401, 200, 401]
