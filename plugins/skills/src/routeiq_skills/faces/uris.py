"""`skill://` URIs: a skill and a path within it, in one spelling.

Whether there is such a file is asked elsewhere.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

SCHEME = "skill://"
_PLAIN = "!$&'()*+,;=@~"


def uri_of(skill: str, path: str = "") -> str:
    """The URI of a file or folder; of the skill's own folder without a path."""
    return f"{SCHEME}{skill}/{quote(path, safe=f'/{_PLAIN}')}" if path else f"{SCHEME}{skill}"


def place_of(uri: str) -> tuple[str, str] | None:
    """The skill and the path that a URI names, when it is spelled as `uri_of` spells it."""
    if not uri.startswith(SCHEME):
        return None
    skill, _, quoted = uri[len(SCHEME) :].partition("/")
    try:
        path = unquote(quoted, errors="strict")
    except UnicodeDecodeError:
        return None
    return (skill, path) if uri_of(skill, path) == uri else None
