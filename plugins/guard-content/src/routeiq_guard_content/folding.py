"""Letters as they are compared: without case, compatibility forms, zero-width characters and other small disguises.

Each character is folded on its own, so that a text can be folded as it grows; what is looked for lives elsewhere.
"""

from __future__ import annotations

import unicodedata

_REMEMBERED = 20_000
_INVISIBLE = frozenset(
    {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0}
    | set(range(0x0334, 0x0339))  # strokes laid over a letter
    | set(range(0x180B, 0x1810))
    | set(range(0xFE00, 0xFE10))
    | set(range(0xE0000, 0xE1000))
)
_UNSPACED = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3040, 0x30FF),
    (0x3400, 0x9FFF),
    (0x20000, 0x3FFFF),
)
"""Thai, Lao, Burmese, Khmer, Japanese, Chinese: words stand beside one another without a space."""


class _Folding(dict[int, str]):
    def __missing__(self, code: int) -> str:
        folded = _folded(chr(code))
        if len(self) < _REMEMBERED:
            self[code] = folded
        return folded


FOLDING = _Folding()
"""A code point's characters as they are compared: none for the invisible, a space for all white space."""


def is_mark(char: str) -> bool:
    """Whether a folded character belongs to the letter before it."""
    return char > "\u02ff" and unicodedata.combining(char) != 0


def mark_class(char: str) -> int:
    """Where a mark stands among those of its letter."""
    return unicodedata.combining(char)


def fold(text: str) -> str:
    """A text as it is compared."""
    folded = text.translate(FOLDING)
    if not folded.isascii():
        folded = unicodedata.normalize("NFD", folded)  # it is decomposed: this orders the marks of each letter
    return folded


def joins(char: str) -> bool:
    """Whether a folded character beside a word makes it part of a longer one."""
    if char.isascii():
        return char.isalnum() or char == "_"
    return unicodedata.category(char)[0] in "LMN" and not any(low <= ord(char) <= high for low, high in _UNSPACED)


def _folded(char: str) -> str:
    if char.isspace():
        return " "
    if ord(char) in _INVISIBLE or unicodedata.category(char) in ("Cc", "Cf"):
        return ""
    decomposed = unicodedata.normalize("NFKD", char).casefold()
    return "".join(" " if each.isspace() else each for each in unicodedata.normalize("NFKD", decomposed))
