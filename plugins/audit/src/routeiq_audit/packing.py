"""Compression of objects with zstd. A frame carries a checksum, so that a flipped bit never yields other lines.

What is in the objects is nobody's business here.
"""

from __future__ import annotations

_LEVEL = 3
_MOST_BYTES = 1 << 30


class Unreadable(ValueError):
    """Not one whole zstd frame."""


def pack(lines: bytes) -> bytes:
    """One frame of these bytes."""
    import zstandard

    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True, write_content_size=True)
    return bytes(compressor.compress(lines))


def unpack(body: bytes) -> bytes:
    """The bytes of one whole frame. Raises `Unreadable` for anything else: cut, flipped, followed by more."""
    import zstandard

    try:
        size = zstandard.frame_content_size(body)
        if size > _MOST_BYTES:
            raise Unreadable(f"it says that it holds {size} bytes")
        decompressor = zstandard.ZstdDecompressor().decompressobj()
        lines = bytes(decompressor.decompress(body))
    except zstandard.ZstdError as error:
        raise Unreadable(f"it cannot be decompressed: {error}") from None
    if not decompressor.eof:
        raise Unreadable("it is cut")
    if decompressor.unused_data:
        raise Unreadable("something follows after its end")
    return lines
