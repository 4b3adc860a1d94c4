"""One Valkey server, without any file: what it held is gone when it ends.

Sentinels and clusters have modules of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .binaries import valkey_program
from .process import ServerProcess
from .resp import RespError, ask


class ValkeyServer(ServerProcess):
    """`url` is `redis://127.0.0.1:PORT/0`. With a `password` clients must give it; `options` are configuration lines
    (`{"maxmemory": "64mb"}`)."""

    name = "valkey"

    def __init__(self, *, password: str = "", options: dict[str, str] | None = None) -> None:
        super().__init__()
        self.password = password
        self.options = dict(options or {})

    @property
    def url(self) -> str:
        """How a client reaches it; the password is part of it."""
        secret = f":{self.password}@" if self.password else ""
        return f"redis://{secret}{self.address}/0"

    def command(self) -> Sequence[str | Path]:
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
            "dir": str(self.folder),
            **({"requirepass": self.password} if self.password else {}),
            **self.options,
        }
        words = ((f"--{name}", *value.split(" ")) for name, value in options.items())
        return [valkey_program(), *(word for option in words for word in option)]

    def answers(self) -> bool:
        try:
            return bool(self.ask("PING", seconds=0.5) == "PONG")
        except (OSError, RespError):
            return False

    def ask(self, *words: str | int, seconds: float = 5.0) -> Any:
        """The answer to one command."""
        return ask(self.port, *words, password=self.password, seconds=seconds)

    def flush(self) -> None:
        """Forget everything (FLUSHALL)."""
        self.ask("FLUSHALL")

    def refresh(self) -> None:
        """Whatever a test did to it: running, and empty."""
        self.resume()
        self.start()
        self.flush()
