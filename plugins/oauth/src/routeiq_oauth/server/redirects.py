"""Redirect URIs: which may be registered, and when an asked one is a registered one (RFC 6749, RFC 8252).

Who registers them is told in `clients`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from routeiq_oauth.urls import is_loopback

_LONGEST = 1024
_OWN_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")
_KNOWN_SCHEMES = frozenset({"cursor", "vscode", "vscode-insiders", "windsurf", "zed", "claude", "jetbrains"})
"""Schemes of well known desktop clients that are no reversed domain, as RFC 8252 would have it."""


def check_redirect_uri(uri: str) -> str:
    """`uri` when codes may be sent there: https, loopback, or an app's own scheme. Raises `ValueError`."""
    if len(uri) > _LONGEST or not uri.isascii() or any(letter <= " " or letter in '\\"<>^`{|}\x7f' for letter in uri):
        raise ValueError("a redirect URI in plain ASCII without blanks")
    if "#" in uri:
        raise ValueError("a redirect URI without a fragment")
    parts = urlsplit(uri)
    if "@" in parts.netloc:
        raise ValueError("a redirect URI without credentials")
    if parts.scheme in ("http", "https"):
        _ = parts.port  # raises ValueError for one that is none
        if not parts.hostname:
            raise ValueError("a redirect URI with a host")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError("a redirect URI of plain http is for loopback alone")
        return uri
    if not (_OWN_SCHEME.fullmatch(parts.scheme) or parts.scheme in _KNOWN_SCHEMES):
        raise ValueError("a redirect URI that begins with https, with http://127.0.0.1 or with an app's own scheme")
    return uri


def is_registered(asked: str, registered: Iterable[str]) -> bool:
    """Whether codes may go to `asked`: equal letter by letter; on loopback the port may differ (RFC 8252, 7.3)."""
    known = tuple(registered)
    if asked in known:
        return True
    wanted = _without_port(asked)
    return wanted is not None and any(_without_port(uri) == wanted for uri in known)


def _without_port(uri: str) -> str | None:
    """A loopback URI without its port; `None` for every other."""
    try:
        check_redirect_uri(uri)
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme != "http" or not is_loopback(parts.hostname):
        return None
    return parts._replace(netloc=(parts.hostname or "")).geturl()


def host_of(uri: str) -> str:
    """What people should look at before they agree: host and port, or the app's scheme."""
    parts = urlsplit(uri)
    return parts.netloc or f"{parts.scheme}:"
