"""The scripts that the server runs, each one atomic step: their text and their SHA-1, by which they are called.

What they do is in `redis_lua/`; what they are asked, in `redis_state` and `redis_meters`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from routeiq.state.redis_line import Word

_FOLDER = Path(__file__).with_name("redis_lua")


@dataclass(frozen=True, slots=True)
class Script:
    """A script. With `identified` its first argument is the identity of the server that runs it."""

    text: str
    sha: str
    identified: bool = False

    def called(self, identity: str, keys: Sequence[str], words: Sequence[Word]) -> tuple[Word, ...]:
        """The command that runs it on a server that knows it."""
        return ("EVALSHA", self.sha, *self._asked(identity, keys, words))

    def sent(self, identity: str, keys: Sequence[str], words: Sequence[Word]) -> tuple[Word, ...]:
        """The command that runs it on any server; the server knows it from then on."""
        return ("EVAL", self.text, *self._asked(identity, keys, words))

    def _asked(self, identity: str, keys: Sequence[str], words: Sequence[Word]) -> tuple[Word, ...]:
        return (len(keys), *keys, *((identity,) if self.identified else ()), *words)


def script(*names: str, identified: bool = False) -> Script:
    """The script that consists of these files, one after the other."""
    text = "\n".join((_FOLDER / f"{name}.lua").read_text(encoding="utf-8") for name in names)
    # The name that the server gives a script; nothing is protected by it.
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(), identified)
