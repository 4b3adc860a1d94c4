"""The check digits of numbers that people and accounts are known by.

Where in a text such numbers stand is not known here. Every function takes the number without its separators.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}
"""How long the account numbers of each country are (ISO 13616 register)."""

_PERMUTED = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]
for _ in range(7):
    _PERMUTED.append([(1, 5, 7, 6, 2, 8, 3, 0, 9, 4)[digit] for digit in _PERMUTED[-1]])


def luhn(number: str) -> bool:
    """Payment cards (ISO/IEC 7812)."""
    total = 0
    for place, char in enumerate(reversed(number)):
        digit = int(char)
        if place % 2:
            digit = digit * 2 - 9 if digit > 4 else digit * 2
        total += digit
    return total % 10 == 0


def iban(number: str) -> bool:
    """International account numbers (ISO 7064, mod 97-10)."""
    rearranged = number[4:] + number[:4]
    return int("".join(str(int(char, 36)) for char in rearranged)) % 97 == 1


def verhoeff(number: str) -> bool:
    """India's Aadhaar."""
    check = 0
    for place, char in enumerate(reversed(number)):
        check = _dihedral(check, _PERMUTED[place % 8][int(char)])
    return check == 0


def nhs(number: str) -> bool:
    """The United Kingdom's NHS number: mod 11."""
    return _weighted(number, range(10, 0, -1)) % 11 == 0


def pesel(number: str) -> bool:
    """Poland's PESEL: a date of birth and a digit mod 10."""
    month = int(number[2:4])
    century = {0: 1900, 20: 2000, 40: 2100, 60: 2200, 80: 1800}[month // 20 * 20]
    if not _is_date(century + int(number[:2]), month % 20, int(number[4:6])):
        return False
    return _weighted(number, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def german_tax_id(number: str) -> bool:
    """Germany's Steuer-IdNr: one digit of the first ten stands there twice or thrice, and ISO 7064 mod 11,10."""
    counts = sorted((number[:10].count(digit) for digit in "0123456789"), reverse=True)
    if counts[0] not in (2, 3) or counts[1] != 1 or number[0] == "0":
        return False
    product = 10
    for char in number[:10]:
        total = (int(char) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(number[10])


def spanish_letter(number: int) -> str:
    """The letter of Spain's NIF and NIE: mod 23."""
    return "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23]


def italian_fiscal_code(code: str) -> bool:
    """Italy's codice fiscale: its sixteenth letter."""
    odd = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
    total = 0
    for place, char in enumerate(code[:15], 1):
        value = int(char) if char.isdigit() else ord(char) - 65
        total += odd[value] if place % 2 else value
    return ord(code[15]) - 65 == total % 26


def singapore_nric(code: str) -> bool:
    """Singapore's NRIC and FIN: a letter mod 11."""
    prefix = code[0]
    total = _weighted(code[1:8], (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(prefix, 0)
    if prefix == "M":
        return code[8] == "KLJNPQRTUWX"[10 - total % 11]
    return code[8] == ("JZIHGFEDCBA" if prefix in "ST" else "XWUTRQPNMLK")[total % 11]


def australian_business_number(number: str) -> bool:
    """Australia's ABN: mod 89."""
    return (_weighted(number, (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)) - 10) % 89 == 0


def australian_company_number(number: str) -> bool:
    """Australia's ACN: mod 10."""
    return (_weighted(number[:8], range(8, 0, -1)) + int(number[8])) % 10 == 0


def australian_tax_file_number(number: str) -> bool:
    """Australia's TFN: mod 11."""
    return _weighted(number, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def australian_medicare(number: str) -> bool:
    """Australia's Medicare card: its ninth digit, mod 10."""
    return _weighted(number[:8], (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(number[8])


def finnish_identity(code: str) -> bool:
    """Finland's henkilötunnus: a date of birth and a character mod 31."""
    century = 1800 if code[6] == "+" else 2000 if code[6] in "ABCDEF" else 1900
    if not _is_date(century + int(code[4:6]), int(code[2:4]), int(code[:2])):
        return False
    return code[10] == "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(code[:6] + code[7:10]) % 31]


def _dihedral(left: int, right: int) -> int:
    if left < 5:
        return (left + right) % 5 if right < 5 else (left + right - 5) % 5 + 5
    return (left - 5 - right) % 5 + 5 if right < 5 else (left - right) % 5


def _weighted(number: str, weights: Sequence[int]) -> int:
    return sum(int(char) * weight for char, weight in zip(number, weights, strict=True))


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
