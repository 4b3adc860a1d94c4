"""One piece of text as arrays: its words, the hashes of its n-grams, the stems that stand in it, signs of encoding.

Everything is computed for all characters at once; nothing here knows what is good or bad.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIECE = 4096
"""Characters read at once."""
OVERLAP = 512
"""Characters that a piece shares with the next."""
SLICE = 256
"""Characters of a piece that are told apart when stems are looked for."""
BUCKETS = 1 << 18
"""Size of each of the two tables of hashes: words, and characters."""
CHARS = 4
"""Characters of a character n-gram."""
_DROPPED = np.uint64(46)
"""Bits of a hash that are dropped for a bucket: 64 minus 18."""

U64 = NDArray[np.uint64]
Ints = NDArray[np.int64]
_M = (1 << 64) - 1
_BASE = 0x9E3779B97F4A7C15 | 1
_SALTS = tuple(
    np.uint64(salt)
    for salt in (0xD6E8FEB86659FD93, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB, 0x8EBC6AF09C88C6E3, 0x589965CC75374CC3)
)
_KEY = 4
"""Characters by which a stem is looked up."""
_KEY_SHIFT = np.uint32(16)
_KEY_FACTOR = np.uint32(0x9E3779B1)


def _powers(base: int, count: int) -> U64:
    powers = np.full(count, base & _M, dtype=np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)  # modulo 2^64, as unsigned numbers do


_POWERS = _powers(_BASE, PIECE + 1)
_INVERSES = _powers(pow(_BASE, -1, 1 << 64), PIECE + 1)


def _classes() -> NDArray[np.uint8]:
    """By code: 0 parts words, 1 is of a word, 2 is a word of its own."""
    kinds = np.ones(0x10000, dtype=np.uint8)
    for first, last in ((0x00, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0xA9), (0xAB, 0xB4), (0xB6, 0xB9),
                        (0xBB, 0xBF), (0x2000, 0x2BFF), (0x3000, 0x3004), (0x3008, 0x3020), (0x3030, 0x3030),
                        (0xE000, 0xF8FF), (0xFE00, 0xFE6F), (0xFF00, 0xFFFF)):  # fmt: skip
        kinds[first : last + 1] = 0
    for first, last in ((0x0E00, 0x0EFF), (0x3040, 0x318F), (0x31F0, 0x9FFF), (0xAC00, 0xD7A3)):
        kinds[first : last + 1] = 2
    return kinds


_KINDS = _classes()
_IS_LEET = np.zeros(0x10000, dtype=bool)
_IS_LEET[[ord(sign) for sign in "013457@$!|"]] = True
_IS_SMALL = np.zeros(0x10000, dtype=bool)
_IS_SMALL[ord("a") : ord("z") + 1] = True
_IS_CODE = np.zeros(0x10000, dtype=bool)
_IS_CODE[[ord(sign) for sign in "abcdefghijklmnopqrstuvwxyz0123456789+/_-"]] = True


class Stems:
    """Beginnings of words that are looked for, by their first characters."""

    def __init__(self, stems: Iterable[str]) -> None:
        known = frozenset(stems)
        self._short = tuple(sorted(stem for stem in known if len(stem) < _KEY))
        self._by_key: dict[int, list[str]] = {}
        for stem in known.difference(self._short):
            self._by_key.setdefault(int(_keys(_codes(stem[:_KEY]))[0]), []).append(stem)
        self._table = np.zeros(0x10000, dtype=bool)
        self._table[_bucket_of(np.array(list(self._by_key), dtype=np.uint32))] = True

    def within(self, view: str, codes: NDArray[np.uint32]) -> dict[str, int]:
        """Those that stand in a piece, each with the slices in which it does, as bits."""
        found: dict[str, int] = {}
        for stem in self._short:
            at = view.find(stem)
            while at >= 0:
                found[stem] = found.get(stem, 0) | 1 << (at // SLICE)
                at = view.find(stem, (at // SLICE + 1) * SLICE)
        keys = _keys(codes)
        places = np.flatnonzero(self._table[_bucket_of(keys)])
        for at, key in zip(places.tolist(), keys[places].tolist(), strict=True):
            for stem in self._by_key.get(key, ()):
                if view.startswith(stem, at):
                    found[stem] = found.get(stem, 0) | 1 << (at // SLICE)
        return found


class Reading:
    """A piece in its plain view."""

    def __init__(self, view: str) -> None:
        self.view = view[:PIECE]
        self.codes = _codes(self.view)
        small = np.minimum(self.codes, np.uint32(0xFFFF))
        self._small = small
        self._kinds = kinds = _KINDS[small]
        inside = kinds > 0
        alone = kinds == 2
        before = np.empty_like(inside)
        before[:1] = False
        before[1:] = inside[:-1] & ~alone[:-1]
        begins = inside & (~before | alone)
        ends = np.empty_like(inside)
        ends[-1:] = inside[-1:]
        ends[:-1] = inside[:-1] & (~inside[1:] | begins[1:])
        self.starts: Ints = np.flatnonzero(begins)
        self.ends: Ints = np.flatnonzero(ends) + 1
        letters = np.where(inside, self.codes, np.uint32(32)).astype(np.uint64) + np.uint64(1)
        self._sums = np.zeros(len(letters) + 1, dtype=np.uint64)
        np.cumsum(letters * _POWERS[: len(letters)], out=self._sums[1:])

    def words(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Buckets of single words, pairs, triples, and pairs with a word between, by the place of their first word."""
        hashes = (self._sums[self.ends] - self._sums[self.starts]) * _INVERSES[self.starts]
        first, second, third = _SALTS[1] * hashes, _SALTS[2] * hashes, _SALTS[3] * hashes
        mixed = hashes ^ (hashes >> np.uint64(29))
        return (
            _bucket(mixed * _SALTS[4]),
            _bucket(first[:-1] + second[1:]),
            _bucket(first[:-2] + second[1:-1] + third[2:]),
            _bucket(third[:-2] + first[2:]),
        )

    def characters(self) -> Ints:
        """Buckets of the n-grams of characters, by the place of their first."""
        count = len(self.codes) - CHARS + 1
        if count <= 0:
            return np.zeros(0, dtype=np.int64)
        return _bucket((self._sums[CHARS:] - self._sums[:-CHARS]) * _INVERSES[:count] * _SALTS[0])

    def has_code(self) -> bool:
        """Whether a run without blanks is long enough to be an encoded text."""
        stops = np.flatnonzero(~_IS_CODE[self._small])
        edges = np.concatenate(([-1], stops, [len(self._small)]))
        return bool((np.diff(edges) > 20).any())

    def has_leet(self) -> bool:
        """Whether figures stand where letters would."""
        leet, letter = _IS_LEET[self._small], _IS_SMALL[self._small]
        return int((leet[1:-1] & letter[:-2] & letter[2:]).sum()) > 1

    def has_spaced(self) -> bool:
        """Whether words are written with gaps between their letters."""
        single = self.starts[(self.ends - self.starts) == 1]
        single = single[self._kinds[single] == 1]
        return bool((single[6:] - single[:-6] <= 36).any()) if len(single) > 6 else False


def pieces(text: str) -> Iterable[str]:
    """The text in pieces that overlap."""
    if len(text) <= PIECE:
        return (text,)
    return (text[start : start + PIECE] for start in range(0, len(text) - OVERLAP, PIECE - OVERLAP))


def _codes(text: str) -> NDArray[np.uint32]:
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), dtype=np.uint8).astype(np.uint32)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def _keys(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    count = max(0, len(codes) - _KEY + 1)
    low = codes & np.uint32(0xFF)
    keys = low[:count].copy()
    for place in range(1, _KEY):
        keys |= low[place : place + count] << np.uint32(8 * place)
    return keys


def _bucket_of(keys: NDArray[np.uint32]) -> NDArray[Any]:
    return (keys * _KEY_FACTOR) >> _KEY_SHIFT


def _bucket(hashes: U64) -> Ints:
    return ((hashes * _SALTS[0]) >> _DROPPED).astype(np.int64)
