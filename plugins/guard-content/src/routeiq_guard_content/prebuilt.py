"""Expressions with a name, as LiteLLM names them, and what must hold of a match beside its shape.

How they are matched is the business of `expressions`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import NamedTuple


class Prebuilt(NamedTuple):
    """An expression, the most characters of its matches, and what must hold of one."""

    pattern: str
    longest: int
    accept: Callable[[str], bool] | None = None
    solid: bool = False

    @property
    def again(self) -> bool:
        """Whether one may begin within what was no match: a card's number after another number."""
        return self.accept is luhn


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isdigit())


def luhn(text: str) -> bool:
    """Whether the digits pass the check of payment cards (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(_digits(text))):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _ssn(text: str) -> bool:
    digits = _digits(text)
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def _phone(text: str) -> bool:
    return 7 <= len(_digits(text)) <= 15


def _mixed(text: str) -> bool:
    kinds = (str.isdigit, str.islower, str.isupper)
    return all(any(kind(char) for char in text) for kind in kinds)


def _ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


_GAP = "[ -]?"
_VISA = rf"4[0-9]{{3}}{_GAP}[0-9]{{4}}{_GAP}[0-9]{{4}}{_GAP}[0-9]{{4}}"
_MASTERCARD = (
    rf"(?:5[1-5][0-9]{{2}}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{{2}}|27[01][0-9]|2720){_GAP}"
    rf"[0-9]{{4}}{_GAP}[0-9]{{4}}{_GAP}[0-9]{{4}}"
)
_AMEX = rf"3[47][0-9]{{2}}{_GAP}[0-9]{{6}}{_GAP}[0-9]{{5}}"
_DISCOVER = rf"6(?:011|5[0-9]{{2}}|4[4-9][0-9]){_GAP}[0-9]{{4}}{_GAP}[0-9]{{4}}{_GAP}[0-9]{{4}}"
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_BASE64 = "A-Za-z0-9+/"

PREBUILT = {
    "us_ssn": Prebuilt(r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b", 11, _ssn),
    "us_ssn_no_dash": Prebuilt(r"\b[0-9]{9}\b", 9, _ssn),
    "email": Prebuilt(
        rf"\b[A-Za-z0-9](?:[A-Za-z0-9._%+-]{{0,63}})@(?:{_LABEL}\.){{1,8}}[A-Za-z]{{2,24}}\b", 254, solid=True
    ),
    "phone": Prebuilt(
        r"(?:\+[0-9]{1,3}[ .-]?)(?:\([0-9]{1,4}\)[ .-]?)?[0-9]{2,4}(?:[ .-]?[0-9]{2,4}){1,4}\b"
        r"|(?:\([0-9]{3}\) ?|\b[0-9]{3}[ .-])[0-9]{3}[ .-][0-9]{4}\b",
        40,
        _phone,
    ),
    "us_phone": Prebuilt(
        r"(?:\+1[ .-]?|\b1[ .-])?(?:\([2-9][0-9]{2}\)[ .-]?|\b[2-9][0-9]{2}[ .-]?)[2-9][0-9]{2}[ .-]?[0-9]{4}\b", 20
    ),
    "visa": Prebuilt(rf"\b{_VISA}\b", 19, luhn),
    "mastercard": Prebuilt(rf"\b{_MASTERCARD}\b", 19, luhn),
    "amex": Prebuilt(rf"\b{_AMEX}\b", 17, luhn),
    "discover": Prebuilt(rf"\b{_DISCOVER}\b", 19, luhn),
    "credit_card": Prebuilt(rf"\b(?:{_VISA}|{_MASTERCARD}|{_AMEX}|{_DISCOVER})\b", 19, luhn),
    "aws_access_key": Prebuilt(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", 20, solid=True),
    "aws_secret_key": Prebuilt(rf"\b[{_BASE64}]{{40}}\b", 40, _mixed, solid=True),
    "github_token": Prebuilt(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{82})\b", 93, solid=True),
    "slack_token": Prebuilt(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,200}\b", 205, solid=True),
    "ipv4": Prebuilt(rf"\b{_OCTET}(?:\.{_OCTET}){{3}}\b", 15, solid=True),
    "ipv6": Prebuilt(r"(?:\b[0-9A-Fa-f]{1,4}|\B:):[0-9A-Fa-f:]{0,34}(?:[0-9A-Fa-f]\b|::)", 41, _ipv6, solid=True),
    "url": Prebuilt(r"\b(?i:https?://|www\.)[!-;=?-~]{1,400}[A-Za-z0-9/#=&_~+%-]", 409, solid=True),
}
"""By name."""
