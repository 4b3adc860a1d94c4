"""A slow counting of hashed n-grams in plain integers, as the definition reads: what the vectorised one must equal."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

BASE, MIX, PAIR = 0x100000001B3, 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93
WHOLE = 1 << 64
LONGEST = 4096 * 4 + 8
BITS = 14


def run_hash(data: bytes) -> int:
    """A polynomial in the base, the first byte with the highest common power, taken modulo 2^64."""
    return sum((byte + 1) * pow(BASE, LONGEST + 1 + place, WHOLE) for place, byte in enumerate(data)) % WHOLE


def bucket(number: int) -> int:
    mixed = ((number ^ (number >> 29)) * MIX) % WHOLE
    return mixed >> (64 - BITS)


def word_runs(data: bytes) -> list[bytes]:
    runs, run = [], b""
    for byte in data + b" ":
        if byte >= 128 or chr(byte).isdigit() or "a" <= chr(byte) <= "z" or chr(byte) == "_":
            run += bytes([byte])
        elif run:
            runs.append(run)
            run = b""
    return runs


def words(text: str) -> Counter[int]:
    hashes = [run_hash(run) for run in word_runs(text.encode("utf-8", "replace"))]
    pairs = [(one * PAIR + two) % WHOLE for one, two in pairwise(hashes)]
    return Counter(bucket(number) for number in [*hashes, *pairs])


def letters(text: str) -> Counter[int]:
    data = f" {text} ".encode("utf-8", "replace")
    return Counter(
        bucket(run_hash(data[start : start + length]))
        for length in (3, 4, 5)
        for start in range(len(data) - length + 1)
    )
