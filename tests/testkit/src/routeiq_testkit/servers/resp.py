"""One command at a time to a Valkey server, blocking: just enough of RESP 2 to start, flush and wire servers.

Product code and tests of it use a real client.
"""

from __future__ import annotations

import socket
from typing import Any, BinaryIO


class RespError(RuntimeError):
    """The server answered an error."""


def ask(port: int, *words: str | int, password: str = "", seconds: float = 5.0) -> Any:
    """The answer to one command. Raises `RespError`, or `OSError` when nobody answers."""
    with socket.create_connection(("127.0.0.1", port), seconds) as connection:
        connection.settimeout(seconds)
        with connection.makefile("rb") as lines:
            if password:
                connection.sendall(_encode(("AUTH", password)))
                _read(lines)
            connection.sendall(_encode(words))
            return _read(lines)


def _encode(words: tuple[str | int, ...]) -> bytes:
    parts = [str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


def _read(lines: BinaryIO) -> Any:
    line = lines.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("the server closed the connection")
    kind, rest = line[:1], line[1:-2].decode()
    if kind == b"-":
        raise RespError(rest)
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return lines.read(int(rest) + 2)[:-2].decode() if int(rest) >= 0 else None
    if kind == b"*":
        return [_read(lines) for _ in range(int(rest))]
    return rest
