"""The ways in which a text can be read: plain, and with what hides words taken away.

What the words mean is decided elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
import unicodedata
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple
from urllib.parse import unquote

_PIECE = 1024
"""Characters normalised at once: sorting combining marks takes the square of a piece's length at worst."""
_LONGEST_CODE = 8192
"""Characters of one encoded run that are decoded."""
_MOST_CODES = 64

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e0fff\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)
"""Characters without width, and marks that stand on others."""
_TAGS = re.compile("(?<!\U0001f3f4)[\U000e0020-\U000e007e]{4,}")
"""Invisible copies of ASCII. After a black flag they spell a region."""
_ACCENTED = re.compile("[\u00df-\u017f\u01cd-\u01dc\u1ea0-\u1eff]")
_OTHER = "\u0250-\u02af\u0370-\u052f\u13a0-\u13ff"
_MIXED = re.compile(f"(?<![a-z{_OTHER}])(?:[a-z]+[{_OTHER}]|[{_OTHER}]+[a-z])[a-z{_OTHER}]*")
"""Words of Latin letters and of others that look like them."""
_LOOKALIKES = str.maketrans(
    "аеіјорсухѕһԁԛԝвнкмтгпзьЬіӏɡɑɩʟɴɪʀοανρτικυχεηωβγσсꞓᴏ", "aeijopcyxshdqwbhkmtrn3bbilgaiLNIRoavptikuxenwbyocco".lower()
)
_LEET_LETTERS = str.maketrans("013457@$!|", "oieastasil")
_SPACED = re.compile(r"(?<!\w)\w(?:[ .\-_*|/]{1,5}\w){6,}(?!\w)")
_BETWEEN = re.compile(r"[ .\-_*|/]+")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{20,}={0,2}(?![A-Za-z0-9+/_-])")
_ONLY_HEX = re.compile(r"[0-9a-fA-F]+")
_HEX = re.compile(r"(?<![0-9a-fA-F])(?:(?:0x|\\x)?[0-9a-fA-F]{2}[ ,:]?){12,}(?![0-9a-fA-F])")
_HEX_BLANKS = (" 20 ", "\\x20", "0x20", ",20,", ":20:")
"""The blank between two words, in figures."""
_NOT_HEX = re.compile(r"0x|\\x|[ ,:]")
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2}[\w.,!+-]{0,24}){4,}")
_ESCAPED = re.compile(r"(?:\\u00[0-9a-fA-F]{2}){4,}")
_ROT13 = ("vafgehpgvba", "flfgrz cebzcg", "vtaber nyy", "vtaber cerivbhf", "qvfertneq")
_REVERSED = ("snoitcurtsni", "tpmorp metsys", "erongi", "dragersid")


class Signs(NamedTuple):
    """What makes the dear searches worth their while."""

    code: bool
    leet: bool
    spaced: bool


class Decoded(NamedTuple):
    """A text that stood encoded in another. `glued` says that its words may stand without blanks."""

    how: str
    text: str
    glued: bool = False


def plain(text: str) -> str:
    """In small letters, compatibility forms unfolded, without accents, invisible characters and lookalikes."""
    if text.isascii():
        return text.lower()
    text = _INVISIBLE.sub("", text)
    if not text.isascii():
        pieces = (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))
        text = "".join([unicodedata.normalize("NFKC", piece) for piece in pieces])
        text = _INVISIBLE.sub("", text).lower()
        text = _MIXED.sub(_as_latin, text)
        return _ACCENTED.sub(_without_accent, text)
    return text.lower()


def decoded(text: str, view: str, signs: Signs) -> Iterator[Decoded]:
    """What stands encoded in `text`, whose plain view is `view`."""
    yield from _from_tags(text)
    if signs.code:
        yield from _from_runs(text)
    if any(blank in text for blank in _HEX_BLANKS):
        yield from _from_hex(text)
    if text.count("%") > 3 and _PERCENT.search(text):
        yield Decoded("percent", plain(unquote(text)))
    if "&#" in text:
        yield Decoded("entities", plain(html.unescape(text)))
    if "\\u00" in text and _ESCAPED.search(text):
        yield Decoded("escapes", plain(re.sub(r"\\u00([0-9a-fA-F]{2})", _of_escape, text)))
    if signs.spaced and (spaced := "\n".join(_BETWEEN.sub("", found[0]) for found in _SPACED.finditer(view))):
        yield Decoded("spaced", spaced, glued=True)
    if signs.leet:
        yield Decoded("leet", view.translate(_LEET_LETTERS))
    if any(sign in view for sign in _ROT13):
        yield Decoded("rot13", codecs.decode(view, "rot13"))
    if any(sign in view for sign in _REVERSED):
        yield Decoded("reversed", view[::-1])


def _from_tags(text: str) -> Iterator[Decoded]:
    if text.isascii():
        return
    for found in _TAGS.finditer(text):
        yield Decoded("tags", "".join([chr(ord(sign) - 0xE0000) for sign in found[0]]).lower())


def _from_runs(text: str) -> Iterator[Decoded]:
    for found in islice(_BASE64.finditer(text), _MOST_CODES):
        code = found[0][:_LONGEST_CODE]
        if len(code) >= 24 and _ONLY_HEX.fullmatch(code):
            yield from _said("hex", binascii.unhexlify(code[: len(code) // 2 * 2]))
        elif not (code.islower() or code.isupper() or code.isdigit()):  # base64 of a text has both cases
            yield from _said("base64", _base64(code))


def _from_hex(text: str) -> Iterator[Decoded]:
    for found in islice(_HEX.finditer(text), _MOST_CODES):
        digits = _NOT_HEX.sub("", found[0][:_LONGEST_CODE])
        yield from _said("hex", binascii.unhexlify(digits[: len(digits) // 2 * 2]))


def _base64(code: str) -> bytes:
    code = code.rstrip("=").replace("-", "+").replace("_", "/")
    code = code[: len(code) - 1] if len(code) % 4 == 1 else code
    return base64.b64decode(code + "=" * (-len(code) % 4))


def _said(how: str, raw: bytes) -> Iterator[Decoded]:
    """The text that bytes are, if they are one."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < 12:
            return
        text = raw[: error.start].decode("utf-8")
    if text.replace("\n", " ").replace("\t", " ").isprintable():
        yield Decoded(how, plain(text))


def _as_latin(found: re.Match[str]) -> str:
    return found[0].translate(_LOOKALIKES)


def _without_accent(found: re.Match[str]) -> str:
    return _FOLDED[found[0]]


def _of_escape(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def _fold(letter: str) -> str:
    special = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ı": "i"}
    return special.get(letter) or unicodedata.normalize("NFD", letter)[0]


_FOLDED = {chr(code): _fold(chr(code)) for code in (*range(0xDF, 0x180), *range(0x1CD, 0x1DD), *range(0x1EA0, 0x1F00))}
