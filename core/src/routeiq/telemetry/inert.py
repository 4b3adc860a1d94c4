"""Makes a line of the log inert: what clients, tenants and models wrote neither ends a line nor commands a terminal.

What is secret in it is masked elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

Event = MutableMapping[str, Any]

# UTF-8 of what JSON leaves as it is: DEL and the C1 controls (CSI among them), marks that turn the direction of text
# or take no room, and the separators of lines and paragraphs.
_LEFT_BY_JSON = re.compile(
    rb"\x7f|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf"
)
_OF_LINES = frozenset({"exception", "stack"})
"""Fields that are several lines by themselves."""


def inert_line(logger: Any, method: str, line: bytes) -> bytes:
    """A line of JSON, the same value with escapes."""
    if line.isascii() and b"\x7f" not in line:
        return line
    return _LEFT_BY_JSON.sub(_escaped, line)


def inert_fields(logger: Any, method: str, event: Event) -> Event:
    """The fields of a line for a console."""
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[name] = "\n".join(map(_shown, value.split("\n"))) if name in _OF_LINES else _shown(value)
    return event


def _shown(text: str) -> str:
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode() for letter in text
    )


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(found[0].decode())
