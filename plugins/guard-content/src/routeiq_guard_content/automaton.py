"""Many words found in one pass: the automaton of Aho and Corasick (CACM 18(6), 1975).

It knows words of characters and nothing of what they mean.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable


class Automaton:
    """Built once from words, which are numbered in their order; a state is a number, 0 the first."""

    __slots__ = ("_edges", "_fallback", "depth", "ends", "first", "longest")

    def __init__(self, words: Iterable[str]) -> None:
        self._edges: list[dict[str, int]] = [{}]
        self.depth: list[int] = [0]
        """By state: how many of the last characters may be the beginning of a word."""
        self.ends: list[tuple[int, ...]] = [()]
        """By state: the words that end here."""
        self.longest = 0
        for number, word in enumerate(words):
            self.longest = max(self.longest, len(word))
            self._add(number, word)
        self._fallback = [0] * len(self._edges)
        self._link()
        self.first = frozenset(self._edges[0])
        """The characters that words begin with."""

    def next(self, state: int, char: str) -> int:
        """The state after one more character."""
        edges = self._edges
        while state and char not in edges[state]:
            state = self._fallback[state]
        return edges[state].get(char, 0)

    def _add(self, number: int, word: str) -> None:
        state = 0
        for char in word:
            following = self._edges[state].get(char)
            if following is None:
                following = len(self._edges)
                self._edges[state][char] = following
                self._edges.append({})
                self.depth.append(self.depth[state] + 1)
                self.ends.append(())
            state = following
        self.ends[state] += (number,)

    def _link(self) -> None:
        waiting = deque(self._edges[0].values())
        while waiting:
            state = waiting.popleft()
            for char, following in self._edges[state].items():
                self._fallback[following] = self.next(self._fallback[state], char)
                self.ends[following] += self.ends[self._fallback[following]]
                waiting.append(following)
