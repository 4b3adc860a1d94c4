"""Addresses of cryptocurrencies: Bitcoin by its checksums, Ethereum by its shape.

Where in a text they stand is not known here.
"""

from __future__ import annotations

import hashlib

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def is_base58(address: str) -> bool:
    """Bitcoin's older addresses: a version, 20 bytes, and four bytes of their double SHA-256."""
    number = 0
    for char in address:
        place = _BASE58.find(char)
        if place < 0:
            return False
        number = number * 58 + place
    if number.bit_length() > 200:
        return False
    raw = number.to_bytes(25, "big")
    return hashlib.sha256(hashlib.sha256(raw[:-4]).digest()).digest()[:4] == raw[-4:]


def is_bech32(address: str) -> bool:
    """Bitcoin's newer addresses, `bc1...` (BIP 173 and BIP 350)."""
    human, _, data = address.lower().partition("1")
    if address not in (address.lower(), address.upper()) or any(char not in _BECH32 for char in data):
        return False
    values = [ord(char) >> 5 for char in human] + [0] + [ord(char) & 31 for char in human]
    check = 1
    for value in values + [_BECH32.find(char) for char in data]:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(_GENERATORS):
            check ^= generator if top >> place & 1 else 0
    return check in (1, 0x2BC830A3)
