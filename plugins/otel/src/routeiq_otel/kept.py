"""What is made once for many requests, by everything that it depends on.

What is kept is known to the modules that keep it.
"""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Kept(dict[K, V]):
    """Look up with `get`, add with `keep`. Begins anew when it is full."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def keep(self, key: K, value: V) -> V:
        """Add a value, and give it back."""
        if len(self) >= self._most:
            self.clear()
        self[key] = value
        return value
