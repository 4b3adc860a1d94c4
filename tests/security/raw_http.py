"""HTTP/1.1 as an attacker writes it: bytes on a socket, no client library that would object.

What is sent is the tests' business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class RawAnswer:
    """One answer; `seconds` is how long it took."""

    status: int
    head: bytes
    body: bytes
    seconds: float


class Line:
    """A connection that is opened anew whenever the gateway closed it."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self._address = (host, int(port))
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, headers: Sequence[tuple[bytes, bytes]], body: bytes = b"") -> RawAnswer:
        """One request, whatever its bytes are, and the first answer to it."""
        lines = [b"%s %s HTTP/1.1" % (method.encode(), path.encode()), b"host: localhost"]
        lines += [b"%s: %s" % pair for pair in headers]
        if body:
            lines += [b"content-type: application/json", b"content-length: %d" % len(body)]
        return await self.send(b"\r\n".join([*lines, b"", b""]) + body)

    async def send(self, data: bytes) -> RawAnswer:
        """Bytes as they are, and the first answer to them."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address)
        reader, writer = self._streams
        clock = asyncio.get_running_loop().time
        started = clock()
        try:
            writer.write(data)
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length(head))
        except (ConnectionError, asyncio.IncompleteReadError):
            self.close()
            raise
        answer = RawAnswer(int(head.split(b" ", 2)[1]), head, body, clock() - started)
        if answer.status in (400, 431, 501) or b"connection: close" in head.lower():
            self.close()  # framing is in doubt: bytes may be left that are another request's
        return answer

    async def all_statuses(self, data: bytes) -> list[int]:
        """The statuses of all answers to bytes that may be several requests, the last of which closes."""
        reader, writer = await asyncio.open_connection(*self._address)
        try:
            writer.write(data)
            statuses = []
            while True:
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                    await reader.readexactly(_length(head))
                except (ConnectionError, asyncio.IncompleteReadError):
                    return statuses
                statuses.append(int(head.split(b" ", 2)[1]))
        finally:
            writer.transport.abort()

    def close(self) -> None:
        """Leave; the next request opens another connection."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
