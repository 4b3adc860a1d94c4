"""The versions of the protocol, and which era each belongs to.

What differs between them is said where it matters.
"""

from __future__ import annotations

from typing import Final

LEGACY: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""With the `initialize` handshake, oldest first."""

MODERN: Final = ("2026-07-28",)
"""Without a handshake: each request says everything, oldest first."""

KNOWN: Final = LEGACY + MODERN

LATEST_LEGACY: Final = LEGACY[-1]
LATEST_MODERN: Final = MODERN[-1]

_ORDER: Final = {version: place for place, version in enumerate(KNOWN)}


def at_least(version: str, least: str) -> bool:
    """Whether `version` is known and not older than `least`."""
    return _ORDER.get(version, -1) >= _ORDER[least]
