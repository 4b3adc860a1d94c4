"""The pages that people read, and the fenced snippets in them.

A comment line right before a fence says how its snippet is used; without one it stands for itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted(DOCS.rglob("*.md")),
)

_FENCE = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]+) -->\n)?^```(?P<language>\w+)[^\n]*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


class Snippet(NamedTuple):
    """One fenced block. `mark` is the comment before it, empty without one."""

    page: Path
    line: int
    language: str
    mark: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def snippets(language: str) -> list[Snippet]:
    """All snippets in a language, of all pages."""
    return [snippet for page in PAGES for snippet in of_page(page) if snippet.language == language]


def of_page(page: Path) -> Iterator[Snippet]:
    """The snippets of one page, in order."""
    written = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(written):
        line = written.count("\n", 0, match.start("text")) + 1
        yield Snippet(page, line, match["language"], match["mark"] or "", match["text"])


def commands(snippet: Snippet) -> Iterator[str]:
    """The command lines of a console snippet, continued lines joined; what they print is left out."""
    for line in snippet.text.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            yield line.removeprefix("$ ")
