"""The secrets of the configuration that serves, so that a text which somebody else worded can be cleared of them.

It is the last net: whoever holds a `Secret` keeps it out of texts. Nothing here is shown, stored or sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from routeiq_sdk import Secret
from routeiq_sdk.secret import MASK

_SHORTEST = 8  # shorter ones are words that would be masked everywhere
_generations: list[frozenset[str]] = []
_known: tuple[str, ...] = ()
_known_bytes: tuple[bytes, ...] = ()


def hide(secrets: Iterable[Secret]) -> None:
    """Clear texts of these from now on, and still of those before them: a reload leaves requests on the old ones."""
    global _known, _known_bytes
    _generations.append(frozenset(spelling for secret in secrets for spelling in _spellings(secret.reveal())))
    del _generations[:-2]
    # The longest first: a part that is masked within a whole would leave the rest of the whole in sight.
    _known = tuple(sorted(frozenset().union(*_generations), key=lambda text: (-len(text), text)))
    _known_bytes = tuple(text.encode("utf-8", "surrogatepass") for text in _known)


def conceal(text: str) -> str:
    """`text` with each known secret in it masked."""
    for secret in _known:
        if secret in text:
            text = text.replace(secret, MASK)
    return text


def conceal_bytes(data: bytes) -> bytes:
    """As `conceal`, for UTF-8."""
    for secret in _known_bytes:
        if secret in data:
            data = data.replace(secret, MASK.encode())
    return data


def _spellings(secret: str) -> Iterable[str]:
    """The secret, its word after a scheme (`Bearer x`), the password in it if it is an address, each as JSON too."""
    parts = [secret, *(secret.split(" ", 1)[1:])]
    if "://" in secret:
        try:
            password = urlsplit(secret).password
        except ValueError:
            password = None
        parts += [password, unquote(password)] if password else []
    for part in parts:
        if len(part) >= _SHORTEST:
            yield part
            yield json.dumps(part, ensure_ascii=False)[1:-1]
