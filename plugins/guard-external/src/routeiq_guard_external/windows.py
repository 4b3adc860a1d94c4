"""Stream filters that ask: a window at a time, the arguments of a call as a whole, or in passing.

How a window is judged is given to them.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence

from routeiq_sdk import RequestError, Stop
from routeiq_sdk.guards import Passage, held_arguments, put, read_answer

JudgeWindow = Callable[[str, str], Awaitable[str | Stop]]
"""What becomes of a window (the second text), seen behind what was let out before it (the first)."""
JudgePassages = Callable[[Sequence[Passage]], Awaitable[Sequence[str] | Stop]]
"""What becomes of each passage."""

_END = re.compile("[.!?\u3002\uff01\uff1f\u2026][\"')\\]\u201d\u00bb]*\\s|\n")  # of a sentence, or a line
_LOOKED_AT = 8192


def next_cut(text: str, size: int) -> int:
    """Where the next window of a text that still grows ends; 0 while nobody can say.

    It is the first end of a sentence or line from half of `size` on, else the last white space before `size`, else
    `size`. What comes later never moves it, so that the windows of a text do not depend on its pieces.
    """
    for end in _END.finditer(text, 0, size):
        if end.end() * 2 >= size:
            return end.end()
    if len(text) < size:
        return 0
    at = size
    while at > size // 2 and not text[at - 1].isspace():
        at -= 1
    return at if at > size // 2 else size


class AskingWindow:
    """Lets out what was judged. A refusal comes after what stood before it, in whatever pieces the text comes."""

    def __init__(self, judge: JudgeWindow, size: int, overlap: int) -> None:
        self._judge = judge
        self._size = size
        self._overlap = overlap
        self._held = ""
        self._before = ""
        self._ended: Stop | RequestError | None = None

    async def feed(self, delta: str) -> list[str] | Stop:
        """Judge the windows that the piece completes."""
        self._held += delta
        out: list[str] = []
        while self._ended is None and (cut := next_cut(self._held, self._size)):
            await self._window(cut, out)
        return self._given(out)

    async def end(self) -> list[str] | Stop:
        """Judge the rest."""
        out: list[str] = []
        if self._ended is None and self._held:
            await self._window(len(self._held), out)
        return self._given(out)

    async def _window(self, cut: int, out: list[str]) -> None:
        window, self._held = self._held[:cut], self._held[cut:]
        try:
            answer = await self._judge(self._before, window)
        except RequestError as error:
            self._ended = error
            return
        if isinstance(answer, Stop):
            self._ended = answer
            return
        out.append(answer)
        if self._overlap:
            self._before = (self._before + answer)[-self._overlap :]

    def _given(self, out: list[str]) -> list[str] | Stop:
        if out or self._ended is None:
            return out
        if isinstance(self._ended, Stop):
            return self._ended
        raise self._ended


class AskingArguments:
    """Holds the arguments of a tool call until they are whole, then has every text in them judged."""

    def __init__(self, judge: JudgePassages) -> None:
        self._judge = judge
        self._held = held_arguments()

    async def feed(self, delta: str) -> list[str] | Stop:
        """Hold the piece."""
        return self._held.feed(delta)

    async def end(self) -> list[str] | Stop:
        """Judge the whole."""
        whole = self._held.taken()
        body = {"arguments": whole}
        passages = read_answer(body) if whole else []
        if not passages:
            return [whole] if whole else []
        answer = await self._judge(passages)
        if isinstance(answer, Stop):
            return answer
        changed = [(passage.path, text) for passage, text in zip(passages, answer, strict=True) if text != passage.text]
        return [str(put(body, changed)["arguments"]) if changed else whole]


class Onlooker:
    """Lets everything pass at once, and has it looked at in large pieces."""

    def __init__(self, look: Callable[[str], None]) -> None:
        self._look = look
        self._pieces: list[str] = []
        self._length = 0

    def feed(self, delta: str) -> list[str]:
        """Pass the piece on."""
        self._pieces.append(delta)
        self._length += len(delta)
        if self._length >= _LOOKED_AT:
            self._rest()
        return [delta]

    def end(self) -> list[str]:
        """Have the rest looked at."""
        self._rest()
        return []

    def _rest(self) -> None:
        text, self._pieces, self._length = "".join(self._pieces), [], 0
        if text:
            self._look(text)
