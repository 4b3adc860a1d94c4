"""Private keys of many lines, also with their line breaks escaped, and whether one is still being written.

Keys of one line are `shapes`' business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LABEL = "private_key"
_HINT = "-----BEGIN "
_NAME = r"(?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY(?: BLOCK)?-----"
_HEADERS = (
    r"(?:(?:\s|\\[nr])*(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset|MessageID):"
    r"(?:[^\n\\-]|-(?!----)){0,100}){0,6}"
)
_LONGEST = 12_000
_BODY = rf"(?:[A-Za-z0-9+/=\s]|\\[nrt]){{0,{_LONGEST}}}"
_PEM = re.compile(rf"{_HINT}{_NAME}({_HEADERS}{_BODY})(-----END {_NAME})?")
_OPEN = re.compile(
    rf"{_HINT}(?:(?:[A-Z0-9]{{1,16}} ){{0,6}}|{_NAME}{_HEADERS}{_BODY}(?:-----END (?:[A-Z0-9]{{1,16}} ){{0,6}})?)"
)
_LINE = re.compile("[A-Za-z0-9+/=]{40}")


def private_keys(text: str) -> Iterator[tuple[int, int]]:
    """Where private keys stand, their first and last lines included. A key that breaks off counts."""
    if _HINT in text:
        for match in _PEM.finditer(text):
            if _LINE.search(match[1]):
                yield match.span()


def begun(text: str, end: int) -> int:
    """Where a key begins that `text[:end]` may break off; -1 if none does."""
    at = text.rfind(_HINT, 0, end)
    return at if at >= 0 and _OPEN.fullmatch(text, at, end) else -1
