"""The commands of the example as somebody would type them, shown with what they print.

What is typed is decided in `tour`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass, field
from typing import Any, TextIO


class CommandFailed(Exception):
    """A command ended in another way than it should."""


@dataclass(frozen=True)
class Terminal:
    """`routeiq` commands. `places` are folders by the short names that are shown for them."""

    out: TextIO
    places: dict[str, str]
    environment: dict[str, str] = field(default_factory=dict)

    def say(self, text: str = "") -> None:
        """A line between commands."""
        print(text, file=self.out, flush=True)

    async def run(self, *words: str, code: int = 0) -> str:
        """Show a command, run it, show what it prints. Raises `CommandFailed` unless it ends with `code`."""
        self.say("$ routeiq " + " ".join(words))
        told = await self._routeiq(*words, code=code)
        self.say(told)
        return told.strip()

    async def data(self, *words: str, code: int = 0) -> Any:
        """The same as data, unseen."""
        return json.loads(await self._routeiq(*words, "--json", code=code))

    async def _routeiq(self, *words: str, code: int) -> str:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "routeiq", *(self.places.get(word, word) for word in words)),
            env={"COLUMNS": "120", **os.environ, **self.environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        if process.returncode != code:
            told = err.decode().strip() or out.decode().strip()
            raise CommandFailed(f"routeiq {' '.join(words)} ended with {process.returncode}, not {code}: {told}")
        return out.decode()
