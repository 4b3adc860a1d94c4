"""The commands of the example as somebody would type them, shown with what they print.

What is typed is decided in `tour`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from typing import Any, TextIO


class CommandFailed(Exception):
    """A command that should have done its work did not."""


@dataclass(frozen=True)
class Terminal:
    """`routeiq` commands against one gateway."""

    url: str
    key: str
    out: TextIO

    def say(self, text: str = "") -> None:
        """A line between commands."""
        print(text, file=self.out, flush=True)

    async def run(self, *words: str) -> str:
        """Show a command, run it, show what it prints. Raises `CommandFailed`."""
        self.say("$ routeiq " + " ".join(words))
        told = await self._routeiq(*words)
        self.say(told)
        return told.strip()

    async def data(self, *words: str) -> Any:
        """The same as data, unseen."""
        return json.loads(await self._routeiq(*words, "--json"))

    async def _routeiq(self, *words: str) -> str:
        environment = {"COLUMNS": "110", **os.environ, "ROUTEIQ_MASTER_KEY": self.key, "ROUTEIQ_URL": self.url}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "routeiq", *words),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        if process.returncode:
            raise CommandFailed(f"routeiq {' '.join(words)}: {err.decode().strip()}")
        return out.decode()
