"""Fenced blocks of code, found as a text grows.

Which languages are looked for is the options' business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from routeiq_guard_content.spans import ENDLESS, Span, fed

LABEL = "code_block"
LONGEST_LINE = 200
"""Characters: what follows an opening fence on its line, or stands before a closing one, is no longer than this."""
_OPENS = re.compile(r"`{3,}")
_OPENS_TILDES = re.compile(r"[ \t>*+.\d)-]{0,200}(~{3,})")
_MAY_OPEN_TILDES = re.compile(r"[ \t>*+.\d)-]{0,200}~{0,2}\Z")
_CLOSES = re.compile(r"[ \t>]{0,200}(`{3,}|~{3,})[ \t\r]{0,200}\Z")
_MAY_CLOSE = re.compile(r"[ \t>]{0,200}[`~]*[ \t\r]{0,200}\Z")
_LANGUAGE = re.compile(r"[ \t]*\{?[ \t]*\.?([\w+#.-]*)")
_SAME = (
    ("python", "py", "python3", "py3", "ipython", "pycon"),
    ("javascript", "js", "jsx", "mjs", "cjs", "node", "nodejs"),
    ("typescript", "ts", "tsx"),
    ("bash", "sh", "shell", "zsh", "ksh", "console", "shell-session", "sh-session"),
    ("powershell", "ps1", "pwsh", "ps"),
    ("batch", "bat", "cmd"),
    ("ruby", "rb"),
    ("go", "golang"),
    ("csharp", "cs", "c#"),
    ("cpp", "c++", "cc", "cxx"),
    ("rust", "rs"),
    ("perl", "pl"),
    ("php", "php3", "php4", "php5"),
    ("sql", "mysql", "postgresql", "plsql", "tsql", "sqlite"),
)
_NAMES = {name: names[0] for names in _SAME for name in names}


def language(name: str) -> str:
    """One name for a language that has several."""
    lowered = name.strip().lower()
    return _NAMES.get(lowered, lowered)


@dataclass(frozen=True, slots=True)
class Fences:
    """Blocks of these languages; of all when there are none. `untagged`: also those that name no language."""

    languages: frozenset[str]
    untagged: bool
    replacement: str | None

    def scan(self) -> FenceScan:
        """For a text that grows."""
        return FenceScan(self)

    def whole(self, text: str) -> list[Span]:
        """The blocks of a whole text."""
        return fed(self.scan(), text) if "```" in text or "~~~" in text else []

    def sought(self, named: str) -> bool:
        """Whether blocks with this word after their fence are looked for."""
        if not named:
            return self.untagged
        return not self.languages or language(named) in self.languages


class FenceScan:
    """One text, line by line. Of a line that is not over, only what may still become a fence is kept."""

    def __init__(self, fences: Fences) -> None:
        self._fences = fences
        self._line = ""
        self._start = 0  # of `_line`
        self._cut = False  # whether the beginning of the line is gone
        self._inside: tuple[str, Span | None] | None = None  # the fence that opened, and what was found

    @property
    def safe(self) -> int:
        """Where a block may begin."""
        return self._start

    def feed(self, text: str) -> list[Span]:
        """Go on by some characters."""
        found: list[Span] = []
        lines = text.split("\n")
        for number, line in enumerate(lines):
            self._line += line
            if number < len(lines) - 1:
                found += self._judged()
                self._start += len(self._line) + 1
                self._line, self._cut = "", False
        self._trim()
        return found

    def end(self) -> list[Span]:
        """The text is over."""
        found = self._judged()
        self._start += len(self._line)
        if self._inside is not None and self._inside[1] is not None and self._inside[1].end == ENDLESS:
            self._inside[1].end = self._start
        return found

    def _judged(self) -> list[Span]:
        """A whole line."""
        if self._inside is not None:
            fence, span = self._inside
            closing = None if self._cut else _CLOSES.match(self._line)
            if closing is not None and closing[1][0] == fence[0] and len(closing[1]) >= len(fence):
                if span is not None and span.end == ENDLESS:
                    span.end = self._start + len(self._line)
                self._inside = None
                return []
            if span is not None:
                return []  # it is part of what is masked
        opening = self._opening(len(self._line))
        if opening is None:
            return []
        at, fence = opening
        named = _LANGUAGE.match(self._line, at + len(fence))
        tag = named[1] if named is not None else ""
        if self._inside is not None and not tag:
            return []
        if not self._fences.sought(tag):
            self._inside = (fence, None)
            return []
        end = ENDLESS if self._fences.replacement is not None else self._start + len(self._line)
        span = Span(self._start + at, end, LABEL, self._fences.replacement)
        self._inside = (fence, span)
        return [span]

    def _opening(self, length: int) -> tuple[int, str] | None:
        """The fence that opens on these characters of the line and is not closed on them, as within a sentence."""
        tildes = None if self._cut else _OPENS_TILDES.match(self._line)
        if tildes is not None and length - tildes.end() <= LONGEST_LINE:
            return tildes.start(1), tildes[1]
        opened: re.Match[str] | None = None
        for run in _OPENS.finditer(self._line, 0, length):
            if opened is None or run.start() - opened.end() > LONGEST_LINE:
                opened = run
            elif len(run[0]) == len(opened[0]):
                opened = None
        if opened is None or length - opened.end() > LONGEST_LINE:
            return None
        return opened.start(), opened[0]

    def _trim(self) -> None:
        """Forget what can no longer be part of a fence."""
        keep = self._kept()
        if keep:
            self._line, self._start, self._cut = self._line[keep:], self._start + keep, True

    def _kept(self) -> int:
        line = self._line
        if not self._cut and (_MAY_CLOSE.match(line) or _MAY_OPEN_TILDES.match(line)):
            return 0
        if self._inside is not None and self._inside[1] is not None:
            return len(line)  # inside what is masked only a closing fence counts
        length = len(line.rstrip("`"))  # a run at the end is not over: it may close what opened, or not
        opening = self._opening(length)
        if opening is not None:
            return 0 if line[opening[0]] == "~" else opening[0]
        return length
