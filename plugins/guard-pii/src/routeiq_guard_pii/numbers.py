"""Recognisers of what is written in digits: cards, telephone numbers, numbers of citizens, patients and taxes.

Their texts went through `joined` first: a space inside a grouped number is a `JOINT`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from routeiq_guard_pii import checksums
from routeiq_guard_pii.cuts import JOINT
from routeiq_guard_pii.found import Found

_DASHES = "\u2010\u2011\u2012\u2013-"
_SEP = f"[.{JOINT}{_DASHES}]"
_GAP = f"[{JOINT}{_DASHES}]"
_ALONE = rf"(?<![0-9A-Za-z_])(?<![0-9A-Za-z][./{_DASHES}])"
_OVER = rf"(?![0-9A-Za-z_]|[./{_DASHES}][0-9A-Za-z])"
_RUN = re.compile(rf"[0-9](?:[0-9./(){JOINT}{_DASHES}]*[0-9])?")
_DIGITS = re.compile("[^0-9]+")
_SHORTEST = 7
"""Characters of the shortest run that anything looks at: `1.1.1.1`."""

_CARD = re.compile(
    "4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}"
    "|3[47][0-9]{13}|3(?:0[0-5]|[689][0-9])[0-9]{11}|35(?:2[89]|[3-8][0-9])[0-9]{12}"
    "|6(?:011|5[0-9]{2}|4[4-9][0-9])[0-9]{12,15}|62[0-9]{14,17}"
)
"""The numbers that issuers of cards give out (ISO/IEC 7812), by first digits and length."""


def _true(digits: str) -> bool:
    return True


def _card(digits: str) -> bool:
    return _CARD.fullmatch(digits) is not None and checksums.luhn(digits)


def _length(least: int, most: int) -> Callable[[str], bool]:
    return lambda digits: least <= len(digits) <= most


class _Shape(NamedTuple):
    entity: str
    pattern: re.Pattern[str]
    holds: Callable[[str], bool]
    score: float
    least: int
    """Digits of a run that can hold it."""
    first: str = ""
    """What stands right before the run, if it must."""


def _shape(entity: str, least: int, pattern: str, holds: Callable[[str], bool] = _true, score: float = 1.0) -> _Shape:
    return _Shape(entity, re.compile(_ALONE + pattern + _OVER), holds, score, least)


def _phone(pattern: str, least: int, most: int, score: float) -> _Shape:
    bounded = rf"(?<![0-9A-Za-z_+])(?<![0-9][./{_DASHES}]){pattern}(?![0-9]|[./{_DASHES}][0-9])"
    first = "+" if pattern.startswith(r"\+") else ""
    return _Shape("PHONE_NUMBER", re.compile(bounded), _length(least, most), score, least, first)


_SHAPES = (
    _Shape(
        "CREDIT_CARD",
        re.compile(
            rf"(?<![0-9A-Za-z_])(?<![0-9][./{_DASHES}])"
            rf"(?:[0-9]{{13,19}}|[0-9]{{4}}({_SEP})[0-9]{{4}}\1[0-9]{{4}}\1[0-9]{{1,7}}"
            rf"|3[0-9]{{3}}({_SEP})[0-9]{{6}}\2[0-9]{{4,5}}){_OVER}"
        ),
        _card,
        1.0,
        13,
    ),
    _shape("US_SSN", 9, rf"(?!000|666|9)[0-9]{{3}}({_GAP})(?!00)[0-9]{{2}}\1(?!0000)[0-9]{{4}}", score=0.85),
    _shape("US_ITIN", 9, rf"9[0-9]{{2}}({_GAP})(?:5[0-9]|6[0-5]|7[0-9]|8[0-8]|9[0-24-9])\1[0-9]{{4}}", score=0.85),
    _shape("UK_NHS", 10, rf"[0-9]{{3}}({_GAP})[0-9]{{3}}\1[0-9]{{4}}", checksums.nhs, 0.78),
    _shape("PL_PESEL", 11, "[0-9]{11}", checksums.pesel, 0.9),
    _shape("DE_TAX_ID", 11, rf"[0-9]{{2}}({_GAP}?)[0-9]{{3}}\1[0-9]{{3}}\1[0-9]{{3}}", checksums.german_tax_id, 0.9),
    _shape(
        "AU_ABN", 11, rf"[0-9]{{2}}({_GAP}?)[0-9]{{3}}\1[0-9]{{3}}\1[0-9]{{3}}", checksums.australian_business_number
    ),
    _shape("AU_ACN", 9, rf"[0-9]{{3}}({_GAP})[0-9]{{3}}\1[0-9]{{3}}", checksums.australian_company_number, 0.6),
    _shape("AU_TFN", 9, rf"[0-9]{{3}}({_GAP})[0-9]{{3}}\1[0-9]{{3}}", checksums.australian_tax_file_number, 0.6),
    _shape("AU_MEDICARE", 10, rf"[2-6][0-9]{{3}}({_GAP})[0-9]{{5}}\1[0-9]", checksums.australian_medicare, 0.6),
    _shape(
        "IN_AADHAAR",
        12,
        rf"(?<![0-9]{{4}}{JOINT})[2-9][0-9]{{3}}({_GAP})[0-9]{{4}}\1[0-9]{{4}}(?!{JOINT}[0-9]{{4}})",
        checksums.verhoeff,
    ),
    _phone(rf"\+[1-9](?:[./(){JOINT}{_DASHES}]{{0,3}}[0-9]){{6,14}}", 7, 15, 0.8),
    _phone(
        rf"(?:\+?1{_SEP})?(?:\([2-9][0-9]{{2}}\){_SEP}?|[2-9][0-9]{{2}}{_SEP})[2-9][0-9]{{2}}{_SEP}[0-9]{{4}}",
        10,
        11,
        0.75,
    ),
    _phone(
        rf"(?:\(0[1-9][0-9]{{1,4}}\)|0[1-9][0-9]{{1,4}})[/{_SEP[1:]}(?:[0-9]{{2,8}}{_SEP}){{0,3}}[0-9]{{2,8}}",
        9,
        12,
        0.6,
    ),
    _phone(rf"0[1-9]({_SEP})[0-9]{{2}}\1[0-9]{{2}}\1[0-9]{{2}}\1[0-9]{{2}}", 10, 10, 0.6),
    _phone("0(?:7[0-9]{9}|[67][0-9]{8})", 10, 11, 0.6),
)

ENTITIES = frozenset(shape.entity for shape in _SHAPES)


class Numbers:
    """Those of `ENTITIES` that are asked for."""

    def __init__(self, entities: frozenset[str]) -> None:
        self._shapes = tuple(shape for shape in _SHAPES if shape.entity in entities)

    def find(self, shaped: str, runs: Iterable[tuple[int, int]]) -> Iterator[Found]:
        """In the `runs` of a text that was `joined`."""
        for start, end in runs:
            digits = len(_DIGITS.sub("", shaped[start:end]))
            before = shaped[start - 1 : start]
            for shape in self._shapes:
                if digits < shape.least or (shape.first and before != shape.first):
                    continue
                for match in shape.pattern.finditer(shaped, max(0, start - 1), min(len(shaped), end + 2)):
                    if shape.holds(_DIGITS.sub("", match[0])):
                        yield Found(*match.span(), shape.entity, shape.score)


def runs(shaped: str) -> list[tuple[int, int]]:
    """Where digits stand together, with what separates their groups."""
    spans = (match.span() for match in _RUN.finditer(shaped))
    return [(start, end) for start, end in spans if end - start >= _SHORTEST]
