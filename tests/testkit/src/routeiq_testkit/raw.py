"""Raw bytes to a server and what comes back, for what no HTTP client would send.

Nothing is judged here; tests count the answers and read them.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[^\r\n]*\r\n")


@dataclass(frozen=True, slots=True)
class RawReply:
    """Everything that came over one connection."""

    data: bytes
    closed: bool

    @property
    def statuses(self) -> list[int]:
        """The status of each answer, in order."""
        return [int(found[1]) for found in _STATUS.finditer(self.data)]

    @property
    def status(self) -> int:
        """The status of the first answer; 0 when there was none."""
        return next(iter(self.statuses), 0)

    @property
    def headers(self) -> dict[str, str]:
        """The first answer's headers, names in lower case; of several with one name the last counts."""
        head = self.data.partition(b"\r\n\r\n")[0].decode("latin-1")
        pairs = (line.partition(":") for line in head.split("\r\n")[1:])
        return {name.lower(): value.strip() for name, _, value in pairs}

    @property
    def body(self) -> bytes:
        """What follows the first head."""
        return self.data.partition(b"\r\n\r\n")[2]


async def raw_exchange(origin: str, payload: bytes, *, quiet_seconds: float = 20.0) -> RawReply:
    """Send `payload` on a connection of its own; read until the server closes it or says nothing for a while."""
    host, _, port = origin.partition("://")[2].rpartition(":")
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    data, closed = b"", False
    try:
        writer.write(payload)
        while not closed:
            async with asyncio.timeout(quiet_seconds):
                part = await reader.read(1 << 16)
            data, closed = data + part, not part
    except TimeoutError:
        pass
    except ConnectionError:
        closed = True
    finally:
        writer.transport.abort()
    return RawReply(data, closed)


def raw_request(method: str, target: str, *headers: tuple[str, str], body: bytes = b"", version: str = "1.1") -> bytes:
    """The bytes of a request with exactly these headers, and `Connection: close`."""
    lines = [f"{method} {target} HTTP/{version}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + body
