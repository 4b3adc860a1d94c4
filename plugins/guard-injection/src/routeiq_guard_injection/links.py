"""Links and images in answers whose address carries much data to a foreign host: how injected instructions get things
out.

Only what a reader's program follows on its own or as a link is looked at: Markdown and HTML, no bare addresses.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

LINK = "data_in_link"
IMAGE_DATA = 40
"""Characters of data in the address of an image, which is fetched unasked, from which on it is a finding."""
LINK_DATA = 120
"""The same for a link, which somebody has to click."""
IMAGE_PATH = 80
"""Characters of one step of an image's path from which on it is a finding; of a link's, twice as many."""
IMAGE_HOST = 40
"""Characters of one label of a host: data can leave as a name that is looked up."""

_ALT = 200
"""Characters between `![` and `](` that still make an image."""
_OPENER = re.compile(
    rf"(?P<image>!\[(?s:.){{0,{_ALT}}}?\]\(|src(?:set)?\s{{0,8}}=|url\()|\][(:]|href\s{{0,8}}=", re.IGNORECASE
)
_INTO = re.compile(r"\s{0,8}[\"'<]?\s{0,8}(?:https?:)?[/\\]{2}", re.IGNORECASE)
_INTO_BEGUN = re.compile(r"\s{0,8}[\"'<]?\s{0,8}(?:h|ht|htt|https?|(?:https?:)?[/\\]?)", re.IGNORECASE)
_IMAGE_BEGUN = re.compile(rf"!(?:\[(?s:.){{0,{_ALT + 1}}})?\Z")
_OPENER_BEGUN = re.compile(
    r"(?:\]|s(?:rc?)?|src(?:s(?:et?)?)?\s{0,8}|h(?:r(?:ef?)?)?|href\s{0,8}|u(?:rl?)?)\Z", re.IGNORECASE
)
_MARK = re.compile(r"[\s\"'<>`()]")
_HOST = re.compile(r"[^/?#\\:]*")
_INNER = re.compile(r"\][(:]\s{0,8}<?(?:https?:)?[/\\]{2}", re.IGNORECASE)


class _Address(NamedTuple):
    """Where an address stands, from behind its `//` on. `whole` is false where the text ends before it is known what
    stands there; then it has no end."""

    opener: int
    image: bool
    start: int
    end: int
    whole: bool = True


def outward(text: str, trusted: Collection[str]) -> Iterator[tuple[int, int]]:
    """The addresses in links and images that carry much data to a host that is not trusted."""
    for address in _addresses(text, growing=False):
        inside = text[address.start : address.end]
        if _carries(inside, address.image) and not _is_trusted(inside, trusted):
            yield address.start, address.end


def settled(text: str) -> int:
    """Where the first link begins that is not whole yet."""
    return next((address.opener for address in _addresses(text, growing=True) if not address.whole), len(text))


def _addresses(text: str, *, growing: bool) -> Iterator[_Address]:
    """All that follow an opener, from left to right; an opener inside an address opens no other. Where the text is
    still `growing`, the last is what may become one."""
    at = 0
    while True:
        opener = _OPENER.search(text, at)
        if growing:
            begun = _IMAGE_BEGUN.search(text, max(at, len(text) - _ALT - 3))
            if begun is None and opener is None:
                begun = _OPENER_BEGUN.search(text, max(at, len(text) - 16))
            if begun is not None and (opener is None or begun.start() < opener.start()):
                yield _Address(begun.start(), False, 0, 0, whole=False)
                return
        if opener is None:
            return
        at = opener.end()
        image = opener["image"] is not None
        into = _INTO.match(text, at)
        if into is not None:
            end = _end(text, into.end())
            if growing and end == len(text):
                yield _Address(opener.start(), image, 0, 0, whole=False)
                return
            yield _Address(opener.start(), image, into.end(), end)
            at = end
        elif growing and _INTO_BEGUN.fullmatch(text, at):
            yield _Address(opener.start(), image, 0, 0, whole=False)
            return


def _end(text: str, start: int) -> int:
    """Where an address ends: at a blank, a quotation mark, or the bracket that closes its link."""
    depth = 0
    for mark in _MARK.finditer(text, start):
        sign = mark[0]
        if sign == "(":
            depth += 1
        elif sign == ")" and depth:
            depth -= 1
        else:
            return mark.start()
    return len(text)


def _carries(address: str, image: bool) -> bool:
    host = _HOST.match(address)
    name = host[0] if host is not None else ""
    rest = address[len(name) :]
    path, sign, data = rest.partition("?")
    if not sign:
        path, _, data = rest.partition("#")
    longest_step = max((len(step) for step in re.split(r"[/\\]", path)), default=0)
    longest_label = max((len(label) for label in name.split(".")), default=0)
    if image:
        return len(data) >= IMAGE_DATA or longest_step >= IMAGE_PATH or longest_label >= IMAGE_HOST
    return len(data) >= LINK_DATA or longest_step >= 2 * IMAGE_PATH or longest_label >= IMAGE_HOST


def _is_trusted(address: str, trusted: Collection[str]) -> bool:
    """Whether every host that the address may mean is trusted. User names and ports are no part of a host."""
    return all(_host_is_trusted(part, trusted) for part in _INNER.split(address))


def _host_is_trusted(address: str, trusted: Collection[str]) -> bool:
    authority = re.split(r"[/?#\\]", address, maxsplit=1)[0]
    host = authority.rpartition("@")[2].partition(":")[0].lower().rstrip(".")
    return any(host == name or host.endswith(f".{name}") for name in trusted)
