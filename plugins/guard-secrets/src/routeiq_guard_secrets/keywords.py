"""Credentials that only a word beside them gives away: `DB_PASSWORD=...`, `Authorization: Basic ...`.

A value must look like one: a word of a sentence, a variable or a placeholder is none.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from collections.abc import Iterator

LABEL = "keyword"
HEADER = "authorization"

_WORDS = ("password", "passwrd", "passwd", "passphrase", "pwd", "secret", "token", "credential")
_KEYS = (
    "access",
    "account",
    "api",
    "auth",
    "encryption",
    "master",
    "private",
    "service",
    "shared",
    "signing",
    "storage",
)
_SCHEMES = ("basic", "bearer")
_TAIL = r"[A-Za-z0-9_.-]{0,24}[\\\"'`\])*]{0,4}"
_IS = r"(?::=|=>|==|[:=]|[ \t]is)"
_QUOTE = r"\\{0,2}[\"'`]"
_INSIDE = r"[^\"'`\n]"
_BARE = r"[!#-&(-+\-./0-9:<-_a-~]"
_REST = re.compile(
    rf"{_TAIL}[ \t]{{0,4}}(?P<is>{_IS})[ \t]{{0,4}}"
    rf"(?:(?P<quote>{_QUOTE})(?P<quoted>{_INSIDE}{{4,200}})(?P=quote)|(?:{_QUOTE})?(?P<bare>{_BARE}{{6,200}}))",
    re.IGNORECASE | re.ASCII,
)
"""What follows a name: the rest of its word, a sign, and the value."""
_OPEN = re.compile(
    rf"{_TAIL}(?:[ \t]{{1,5}}|[ \t]{{0,4}}{_IS}[ \t]{{0,4}}(?:{_QUOTE}{_INSIDE}{{0,200}})?)",
    re.IGNORECASE | re.ASCII,
)
"""A beginning of that, up to white space or into a quotation."""
_VALUE = re.compile(r"[ \t]{1,4}([0-9A-Za-z+/=._~-]{12,4000})", re.ASCII)
_AWS_OPEN = re.compile(r"A[KS]IA[0-9A-Z]{16}[ \t,;:|/\"'=]{1,5}", re.ASCII)
_LONGEST_OPEN = 320

_CODE = re.compile(
    r"[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)+|[A-Za-z_][\w.]*[(\[{].*|[<$%{&].*|.*(?:\\|\$\{|\{\{|<[a-z_ -]+>).*",
    re.ASCII,
)
_PLACEHOLDER = re.compile(
    r".*(?:your|example|placeholder|changeme|redacted|dummy|xxxx|\*\*\*\*|\.\.\.).*", re.IGNORECASE
)
_SPECIAL = frozenset("!@#$%^&*?~+")
_IN_PROSE = 8


def pairs(text: str, low: str, entropy: float) -> Iterator[tuple[int, int]]:
    """Where values of pairs stand whose name says that they are secret, and that have this entropy, in bits a
    character. `low` is the text as `lowered`."""
    for name_end in _names(low, 0, len(low)):
        match = _REST.match(text, name_end)
        if match is None:
            continue
        group = "quoted" if match["quoted"] else "bare"
        value = match[group].rstrip("\\" if group == "quoted" else "\\.,;:!?)]}*`")
        if _is_secret(value, entropy, bare=group == "bare", prose=match["is"].endswith(("s", "S"))):
            yield match.start(group), match.start(group) + len(value)


def headers(text: str, low: str, entropy: float) -> Iterator[tuple[int, int]]:
    """Where credentials of an `Authorization` header stand."""
    for scheme in _SCHEMES:
        for at in _places(low, scheme, 0, len(low)):
            match = _VALUE.match(text, at + len(scheme))
            if match is None or (at and (low[at - 1].isalnum() or low[at - 1] == "_") and low[at - 1].isascii()):
                continue
            value = match[1].rstrip(".")
            if _is_basic(value) if scheme == "basic" else _is_token(value, entropy):
                yield match.start(1), match.start(1) + len(value)


def begun(text: str, end: int) -> int:
    """Where a pair or a header begins that `text[:end]` may break off; -1 if none does."""
    start = max(0, end - _LONGEST_OPEN)
    low = lowered(text[start:end])
    found = [name for name in _names(low, 0, len(low)) if _OPEN.fullmatch(text, start + name, end)]
    trimmed = low.rstrip(" \t")
    if len(trimmed) < len(low) and trimmed.endswith((*_SCHEMES, *_KEYS)):
        found.append(len(trimmed) - 1)
    for sign in ("akia", "asia"):
        found += (at for at in _places(low, sign, 0, len(low)) if _AWS_OPEN.fullmatch(text, start + at, end))
    return start + min(found) if found else -1


def lowered(text: str) -> str:
    """The text in lower case, each character in its place."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(char.lower() if char.isascii() else char for char in text)


def _names(low: str, start: int, end: int) -> Iterator[int]:
    """Where names that say so end: `password`, `api_key`. More of the word may follow."""
    for word in _WORDS:
        for at in _places(low, word, start, end):
            yield at + len(word)
    for at in _places(low, "key", start, end):
        before = low[max(start, at - 12) : at]
        if before.endswith(_KEYS) or (before[-1:] in (" ", "_", "-") and before[:-1].endswith(_KEYS)):
            yield at + 3


def _places(low: str, word: str, start: int, end: int) -> Iterator[int]:
    at = low.find(word, start, end)
    while at >= 0:
        yield at
        at = low.find(word, at + 1, end)


def bits(value: str) -> float:
    """Shannon's entropy, in bits a character."""
    length = len(value)
    return -sum(count / length * math.log2(count / length) for count in Counter(value).values()) if value else 0.0


def _is_secret(value: str, entropy: float, *, bare: bool, prose: bool) -> bool:
    if len(value) < (_IN_PROSE if prose else 6) or bits(value) < entropy:
        return False
    if _PLACEHOLDER.fullmatch(value) or (bare and _CODE.fullmatch(value)):
        return False
    digit = any(char.isdigit() for char in value)
    letter = any(char.isalpha() for char in value)
    if prose:
        return digit and letter
    return (digit and letter) or (letter and any(char in _SPECIAL for char in value)) or (digit and not letter)


def _is_token(value: str, entropy: float) -> bool:
    return any(char.isdigit() for char in value) and bits(value) >= entropy and _PLACEHOLDER.fullmatch(value) is None


def _is_basic(value: str) -> bool:
    try:
        said = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return b":" in said and all(32 <= byte < 127 for byte in said)
