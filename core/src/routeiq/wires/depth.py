"""How deep JSON bytes nest, found without parsing them.

Whether the bytes are valid JSON is for the parser to say.
"""

from __future__ import annotations

from itertools import accumulate

_WINDOW = 64 * 1024
_OPENING = b"{["
_CLOSING = b"}]"
_UP, _DOWN = b"\x01", b"\xff"
_STEPS = bytes.maketrans(_OPENING + _CLOSING, 2 * _UP + 2 * _DOWN)
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in _OPENING + _CLOSING)


def too_deep(body: bytes, limit: int) -> bool:
    """True when objects and arrays nest deeper than `limit` levels. Linear in the size of `body`.

    A body with no more opening brackets than `limit` is done after two counts. Otherwise escapes are taken out, so
    that each quote left begins or ends a string; what is between strings is every second piece; and each bracket
    there becomes a signed byte, +1 or -1, whose running sum is the depth. Windows bound the memory for the pieces.
    """
    if body.count(b"{") + body.count(b"[") <= limit:
        return False
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    depth = inside_string = 0
    for start in range(0, len(plain), _WINDOW):
        pieces = plain[start : start + _WINDOW].split(b'"')
        steps = b"".join(pieces[inside_string::2]).translate(_STEPS, _NOT_BRACKETS)
        if len(pieces) % 2 == 0:
            inside_string = 1 - inside_string
        if max(accumulate(memoryview(steps).cast("b"), initial=depth)) > limit:
            return True
        depth += steps.count(_UP) - steps.count(_DOWN)
    return False
