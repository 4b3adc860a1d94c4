"""Stream filters that look at a text as it grows: what can be judged goes out, the rest is held.

How a text is judged is given to them; no wire is known here.
"""

from __future__ import annotations

from collections.abc import Callable

from routeiq_sdk.values.verdict import Stop

LONGEST_HELD = 16 * 1024
"""Characters. A text that never settles is judged in pieces of this size, so a finding that is longer may be missed."""
LONGEST_ARGUMENTS = 1024 * 1024
_TOO_LONG = Stop("The arguments of a tool call are longer than the guard can check.")

_PLAIN = " \n\t\r"

Judge = Callable[[str], str | Stop]
"""What a text becomes, or the stop."""


def last_separator(text: str) -> int:
    """Where the last word of a text begins: the plain answer to what is settled, for findings without white space."""
    if not text or text[-1].isspace():
        return len(text)
    return len(text) - len(text.rsplit(None, 1)[-1])


def last_break(text: str, end: int, binds: Callable[[str], bool]) -> int:
    """The last character of `text[:end]` that no finding reaches over; -1 if there is none. `binds` says of a character
    beyond ASCII, or of one in a text that is not plain, whether a finding may hold it; in plain text white space does
    not."""
    if text.isascii():
        return max(text.rfind(space, 0, end) for space in _PLAIN)
    at = end - 1
    while at >= 0 and binds(text[at]):
        at -= 1
    return at


class Window:
    """Judges what has settled, once, and holds the rest back. Each character is judged in one piece with its word."""

    def __init__(self, judge: Judge, settled: Callable[[str], int]) -> None:
        self._judge = judge
        self._settled = settled
        self._held = ""

    def feed(self, delta: str) -> list[str] | Stop:
        """Judge what the piece settles."""
        self._held += delta
        cut = self._settled(self._held)
        if cut <= 0:
            if len(self._held) <= LONGEST_HELD:
                return []
            cut = len(self._held) - LONGEST_HELD // 2
        ready, self._held = self._held[:cut], self._held[cut:]
        return self._judged(ready)

    def end(self) -> list[str] | Stop:
        """Judge the rest."""
        ready, self._held = self._held, ""
        return self._judged(ready) if ready else []

    def _judged(self, text: str) -> list[str] | Stop:
        answer = self._judge(text)
        return answer if isinstance(answer, Stop) else [answer]


class Held:
    """Pieces of a text that is looked at when it is whole, up to a bound."""

    def __init__(self, most: int, too_long: Stop) -> None:
        self._most = most
        self._too_long = too_long
        self._pieces: list[str] = []
        self._length = 0

    def feed(self, delta: str) -> list[str] | Stop:
        """Hold the piece."""
        self._pieces.append(delta)
        self._length += len(delta)
        return self._too_long if self._length > self._most else []

    def taken(self) -> str:
        """The whole, which is held no longer."""
        whole, self._pieces = "".join(self._pieces), []
        return whole


def held_arguments() -> Held:
    """For the arguments of a tool call: half a JSON document can hide in its escapes what the whole one says. Nobody
    can use half of it either."""
    return Held(LONGEST_ARGUMENTS, _TOO_LONG)


class WholeJson:
    """Holds the arguments of a tool call until they are whole, then judges every text in them."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._held = held_arguments()

    def feed(self, delta: str) -> list[str] | Stop:
        """Hold the piece."""
        return self._held.feed(delta)

    def end(self) -> list[str] | Stop:
        """Judge the whole."""
        whole = self._held.taken()
        if not whole:
            return []
        answer = self._judge(whole)
        return answer if isinstance(answer, Stop) else [answer]
