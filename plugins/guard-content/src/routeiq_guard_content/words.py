"""Words and phrases, found as they grow: folded, whole or inside other words, with exceptions and scores.

Which words is the options' business.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from routeiq_guard_content.automaton import Automaton
from routeiq_guard_content.expressions import compiled, encodable
from routeiq_guard_content.folding import FOLDING, fold, is_mark, joins, mark_class
from routeiq_guard_content.spans import Span

MOST = 20_000
"""Words of one row."""
_MEMORY = 512 << 20
_PIECE = 1024
"""Characters of a whole text that are looked at together, so that hits are decided while few of them wait."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What it means that a word stands in a text.

    With a `threshold`, the scores of the words of one `topic` are added, each word once, and nothing is found before
    their sum reaches it. `excuse` makes it an exception: words of its topic that overlap it are not found.
    """

    label: str
    replacement: str | None
    whole: bool = False
    topic: int = -1
    score: float = 0.0
    threshold: float = 0.0
    excuse: bool = False


class Words:
    """The words of a row. Raises `ValueError` for one of which nothing is left to look for."""

    def __init__(self, words: Sequence[tuple[str, Meaning]]) -> None:
        self.meanings = [meaning for _, meaning in words]
        folded = [folded_word(word) for word, _ in words]
        self.texts = folded
        self.automaton = Automaton(folded)
        sought = {word for word, meaning in zip(folded, self.meanings, strict=True) if not meaning.excuse}
        self.skip = _stops(self.automaton.first).search
        alternatives = "|".join(_escaped(word) for word in sorted(sought))
        self._any = compiled(alternatives, memory=_MEMORY)

    def scan(self) -> WordScan:
        """For a text that grows."""
        return WordScan(self)

    def whole(self, text: str) -> list[Span]:
        """What stands in a whole text. Most texts hold none of the words, which one pass of a faster machine tells."""
        folded = encodable(fold(text))
        if self._any.search(folded) is None:
            return []
        scan, found = self.scan(), list[Span]()
        for start in range(0, len(text), _PIECE):
            found += scan.feed(text[start : start + _PIECE])
        return found + scan.end()


class WordScan:
    """One text. Positions are those of the text as it was written."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._at = 0
        self._state = 0
        self._before = ""  # the folded character before `_recent`
        self._recent: list[tuple[str, int]] = []  # folded characters since the first state, and where they were written
        self._marks: list[tuple[str, int]] = []
        self._ended: list[tuple[int, int, int]] = []  # words that stand here unless what follows joins them
        self._hits: deque[tuple[int, int, int]] = deque()  # words that stand here unless an exception overlaps them
        self._excuses: list[tuple[int, int, int]] = []
        self._scores: dict[int, float] = {}
        self._scored: set[int] = set()

    @property
    def safe(self) -> int:
        """Where the first word begins that is not decided."""
        return min((start for start, _, _ in self._hits), default=self._pending)

    @property
    def _pending(self) -> int:
        pending = [start for start, _, _ in self._ended]
        depth = self._words.automaton.depth[self._state]
        if depth:
            pending.append(self._recent[-depth][1])
        return min(pending, default=self._at)

    def feed(self, text: str) -> list[Span]:
        """Go on by some characters."""
        first, skip = self._words.automaton.first, self._words.skip
        place, length, base = 0, len(text), self._at
        while place < length:
            char = text[place]
            if self._state == 0 and char < "\x80" and not self._marks:
                stop = skip(text, place)
                after = stop.start() if stop is not None else length
                if after > place:
                    self._before = FOLDING[ord(text[after - 1])]
                    self._recent = []
                    place = after
                    continue
            self._at = base + place
            for folded in FOLDING[ord(char)]:
                if not folded.isascii() and is_mark(folded):
                    self._marks.append((folded, self._at))
                    continue
                if self._marks:
                    self._flush()
                if self._state == 0 and folded not in first:
                    self._before = folded
                    if self._recent:
                        self._recent = []
                elif folded != " " or self._state == 0 or self._recent[-1][0] != " ":
                    self._step(folded, self._at)
            place += 1
        self._at = base + length
        return self._decided(self._pending)

    def end(self) -> list[Span]:
        """The text is over: nothing follows."""
        self._flush()
        self._confirm("")
        return self._decided(self._at)

    def _flush(self) -> None:
        marks, self._marks = self._marks, []
        for mark, at in sorted(marks, key=lambda entry: mark_class(entry[0])):
            self._step(mark, at)

    def _step(self, folded: str, at: int) -> None:
        if self._ended:
            self._confirm(folded)
        automaton = self._words.automaton
        self._state = automaton.next(self._state, folded)
        if self._state == 0:
            self._before, self._recent = folded, []
            return
        self._recent.append((folded, at))
        if len(self._recent) > 4 * automaton.longest + 64:
            kept = automaton.longest + 1
            self._recent = self._recent[-kept:]
        for number in automaton.ends[self._state]:
            length = len(self._words.texts[number])
            before = self._recent[-length - 1][0] if len(self._recent) > length else self._before
            if not self._words.meanings[number].whole or not (joins(before) and joins(self._words.texts[number][0])):
                self._ended.append((self._recent[-length][1], at + 1, number))

    def _confirm(self, following: str) -> None:
        for start, end, number in self._ended:
            meaning = self._words.meanings[number]
            if following and is_mark(following):
                continue  # it changes the last letter
            if meaning.whole and following and joins(following) and joins(self._words.texts[number][-1]):
                continue
            (self._excuses if meaning.excuse else self._hits).append((start, end, number))
        self._ended = []

    def _decided(self, pending: int) -> list[Span]:
        found: list[Span] = []
        while self._hits and self._hits[0][1] <= pending:
            start, end, number = self._hits.popleft()
            meaning = self._words.meanings[number]
            excused = any(
                first < end and start < last and self._words.meanings[excuse].topic == meaning.topic
                for first, last, excuse in self._excuses
            )
            if not excused and self._counts(number, meaning):
                found.append(Span(start, end, meaning.label, meaning.replacement, number))
        if self._excuses:
            alive = min([pending, *(start for start, _, _ in self._hits)])
            self._excuses = [excuse for excuse in self._excuses if excuse[1] > alive]
        return found

    def _counts(self, number: int, meaning: Meaning) -> bool:
        if meaning.threshold <= 0:
            return True
        if number in self._scored:
            return False
        self._scored.add(number)
        before = self._scores.get(meaning.topic, 0.0)
        self._scores[meaning.topic] = before + meaning.score
        return before < meaning.threshold <= before + meaning.score


def folded_word(word: str) -> str:
    """A word as it is compared. Raises `ValueError` when nothing is left of it."""
    folded = " ".join(part for part in fold(word).split(" ") if part)
    while folded and is_mark(folded[0]):
        folded = folded[1:]
    if not folded:
        raise ValueError("it holds no character that can be looked for; write a word or a phrase")
    return folded


def _stops(first: frozenset[str]) -> re.Pattern[str]:
    """The characters at which a word may begin, and those that are not plain."""
    plain = [chr(code) for code in range(128) if len(FOLDING[code]) == 1 and FOLDING[code] not in first]
    return re.compile(f"[^{''.join(re.escape(char) for char in plain)}]" if plain else "(?s:.)")


def _escaped(word: str) -> str:
    return " +".join(_literal(part) for part in word.split(" "))


def _literal(part: str) -> str:
    return "".join(char if char.isalnum() or ord(char) > 127 else f"\\x{{{ord(char):x}}}" for char in part)
