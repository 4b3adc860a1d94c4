"""The built-in recognisers: addresses, codes with letters, and the `numbers`.

They know no language and no context, so that a text means the same wherever it is cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address

from routeiq_guard_pii import checksums, coins, numbers
from routeiq_guard_pii.cuts import JOINT, joined, last_cut
from routeiq_guard_pii.found import Found

_LETTERS = "\u00c0-\u052f"
_LOCAL = re.compile(rf"[A-Za-z0-9._%+'\-{_LETTERS}]")
_LONGEST_LOCAL = 64
_DOMAIN = re.compile(
    rf"(?:[A-Za-z0-9{_LETTERS}](?:[A-Za-z0-9{_LETTERS}\-]{{0,62}})\.){{1,8}}[A-Za-z{_LETTERS}]{{2,24}}"
    rf"(?![A-Za-z0-9{_LETTERS}_])"
)
_URL = re.compile(
    r"(?:https?://|ftp://|www\.[a-z0-9\-]{1,63}\.)[a-z0-9\-._~:/?#\[\]@!$&*+,;=%|]{2,2000}[a-z0-9/=#&_~\-]",
    re.IGNORECASE,
)
_IPV4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9A-Za-z_]|\.[0-9])")
_IPV6 = re.compile(
    r"(?:[0-9A-Fa-f]{0,4}:){2,7}(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]{0,4})(?![0-9A-Za-z_:]|\.[0-9])"
)
_COLONS = re.compile(":[0-9A-Fa-f]{0,4}:")
_HEX = frozenset("0123456789ABCDEFabcdef")
_SOME_HEX = 5
_IBAN = re.compile("[A-Z]{2}[0-9]{2}")
_CAPITALS = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_WORD = _CAPITALS | frozenset("_abcdefghijklmnopqrstuvwxyz")


def _nie(code: str) -> bool:
    return checksums.spanish_letter(int("XYZ".index(code[0]) * 10_000_000 + int(code[1:8]))) == code[8]


def _nif(code: str) -> bool:
    return checksums.spanish_letter(int(code[:-1])) == code[-1]


def _nino(code: str) -> bool:
    return code[:2] not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")


def _true(code: str) -> bool:
    return True


_CODES: tuple[tuple[str, str, Callable[[str], bool], float], ...] = (
    ("CRYPTO", "0x[0-9a-fA-F]{40}", _true, 0.9),
    ("CRYPTO", "[13][1-9A-HJ-NP-Za-km-z]{25,34}", coins.is_base58, 1.0),
    ("CRYPTO", "bc1[02-9ac-hj-np-z]{11,71}", coins.is_bech32, 1.0),
    ("ES_NIE", "[XYZ]-?[0-9]{7}-?[A-Z]", _nie, 1.0),
    ("ES_NIF", "[0-9]{8}-?[A-Z]", _nif, 1.0),
    ("FI_PERSONAL_IDENTITY_CODE", "[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-Y]", checksums.finnish_identity, 1.0),
    ("IN_PAN", "[A-Z]{3}[ABCFGHJLPT][A-Z][0-9]{4}[A-Z]", _true, 0.85),
    (
        "IT_FISCAL_CODE",
        "[A-Z]{6}[0-9]{2}[A-EHLMPR-T][0-9]{2}[A-Z][0-9]{3}[A-Z]",
        checksums.italian_fiscal_code,
        1.0,
    ),
    ("SG_NRIC_FIN", "[STFGM][0-9]{7}[A-Z]", checksums.singapore_nric, 1.0),
    (
        "UK_NINO",
        f"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?:{JOINT}?[0-9]{{2}}){{3}}{JOINT}?[A-D]",
        _nino,
        0.85,
    ),
)

BY_NAME_ONLY = frozenset({"AU_ACN", "AU_MEDICARE", "AU_TFN", "URL"})
"""Looked for only where the configuration names them: too much that is nobody's looks like them."""

ENTITIES = (
    frozenset({"EMAIL_ADDRESS", "IBAN_CODE", "IP_ADDRESS", "URL"})
    | {entity for entity, *_ in _CODES}
    | numbers.ENTITIES
)
"""What the built-in recognisers know, by Presidio's names."""


class Builtin:
    """Those of `ENTITIES` that are asked for."""

    def __init__(self, entities: frozenset[str]) -> None:
        self._entities = entities
        self._numbers = numbers.Numbers(entities)
        self._codes = [
            (entity, re.compile(f"{pattern}(?![0-9A-Za-z_])"), holds, score)
            for entity, pattern, holds, score in _CODES
            if entity in entities
        ]

    def find(self, text: str) -> list[Found]:
        """What stands in the text."""
        found: list[Found] = []
        if "EMAIL_ADDRESS" in self._entities and "@" in text:
            found += _emails(text)
        if "URL" in self._entities and ("://" in text or "www." in text.lower()):
            found += (Found(*match.span(), "URL", 0.6) for match in _URL.finditer(text) if _starts(text, match.start()))
        if _DIGIT.search(text) is None:
            return found
        shaped = joined(text)
        runs = numbers.runs(shaped)
        found += self._numbers.find(shaped, runs)
        if "IP_ADDRESS" in self._entities:
            found += _addresses(shaped, runs)
        if "IBAN_CODE" in self._entities:
            found += _ibans(shaped)
        for word in _MIXED.finditer(shaped):
            if _DIGIT.search(word[0]):
                found += self._coded(shaped, *word.span())
        return found

    def _coded(self, text: str, start: int, end: int) -> Iterator[Found]:
        for entity, pattern, holds, score in self._codes:
            for match in pattern.finditer(text, start, min(len(text), end + 1)):
                code = match[0].replace(JOINT, "").replace("-", "") if entity != _DASHED else match[0]
                if _starts(text, match.start()) and holds(code):
                    yield Found(*match.span(), entity, score)

    def settled(self, text: str) -> int:
        """As `Inspector.settled`."""
        return last_cut(text)


_DIGIT = re.compile("[0-9]")
_MIXED = re.compile(rf"[0-9A-Za-z][0-9A-Za-z+\-{JOINT}]{{8,}}")
_DASHED = "FI_PERSONAL_IDENTITY_CODE"


def _starts(text: str, at: int) -> bool:
    """Whether no word goes on into `at`."""
    return not at or text[at - 1] not in _WORD


def _emails(text: str) -> Iterator[Found]:
    at = text.find("@")
    while at >= 0:
        domain = _DOMAIN.match(text, at + 1)
        start = at
        while start and at - start < _LONGEST_LOCAL and _LOCAL.match(text, start - 1):
            start -= 1
        while start < at and text[start] in ".'-%":
            start += 1
        if domain is not None and start < at and not (text[start:at] == "git" and text[domain.end() :][:1] == ":"):
            yield Found(start, domain.end(), "EMAIL_ADDRESS", 1.0)
        at = text.find("@", at + 1)


def _addresses(text: str, runs: Iterable[tuple[int, int]]) -> Iterator[Found]:
    for start, end in runs:
        for match in _IPV4.finditer(text, start, min(len(text), end + 1)):
            if not _follows(text, match.start()) and _is_somebodys(match[0]):
                yield Found(*match.span(), "IP_ADDRESS", 0.95)
    done = 0
    for colons in _COLONS.finditer(text):
        start = colons.start()
        while start > max(done, colons.start() - 4) and text[start - 1] in _HEX:
            start -= 1
        whole = _IPV6.match(text, start)
        if start >= done and whole and not _follows(text, start) and _enough(whole[0]) and _is_somebodys(whole[0]):
            done = whole.end()
            yield Found(start, done, "IP_ADDRESS", 0.95)


def _follows(text: str, at: int) -> bool:
    """Whether an address that begins at `at` is part of something longer."""
    return at > 0 and (text[at - 1] in _WORD or text[at - 1] in ".:")


def _is_somebodys(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or (address.version == 4 and address.is_reserved))


def _enough(text: str) -> bool:
    """Whether a text of hexadecimal groups is more than `a::b`, which is code."""
    return sum(char != ":" for char in text) >= _SOME_HEX and any(char.isdigit() for char in text)


def _ibans(text: str) -> Iterator[Found]:
    for match in _IBAN.finditer(text):
        start = match.start()
        end = _after(text, start, checksums.IBAN_LENGTHS.get(match[0][:2], 0))
        if end is not None and _starts(text, start) and checksums.iban(text[start:end].replace(JOINT, "")):
            yield Found(start, end, "IBAN_CODE", 1.0)


def _after(text: str, at: int, count: int) -> int | None:
    """Where `count` capitals and digits end, if a word ends there too."""
    if not count:
        return None
    while count:
        if at == len(text):
            return None
        if text[at] != JOINT:
            if text[at] not in _CAPITALS:
                return None
            count -= 1
        at += 1
    return at if at == len(text) or text[at] not in _WORD else None
