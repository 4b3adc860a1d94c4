"""A server that speaks S3's protocol: moto in a process of its own, which keeps everything in memory.

What moto takes that the real one refuses is written in its documentation; nothing here mends it.
"""

from __future__ import annotations

import importlib.util
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from .process import ServerError, ServerProcess


class S3Server(ServerProcess):
    """`url` is its endpoint; it takes any credentials. `pause` keeps what it holds, `stop` and `kill` lose it."""

    name = "s3"

    @property
    def url(self) -> str:
        """How a client reaches it."""
        return f"http://{self.address}"

    def command(self) -> Sequence[str | Path]:
        if importlib.util.find_spec("moto") is None or importlib.util.find_spec("flask_cors") is None:
            raise ServerError("no S3 server here. Mend: pip install 'moto[s3,server]'")
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/moto-api/data.json", timeout=0.5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def refresh(self) -> None:
        """Running and empty."""
        self.resume()
        self.start()
        request = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")
        with urllib.request.urlopen(request, timeout=10):
            pass
