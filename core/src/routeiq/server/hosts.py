"""Which names the gateway answers to: the Host header, judged before anything else looks at a request.

A page whose name was made to point here (DNS rebinding) is told apart by that name alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from routeiq.server.listener import is_local
from routeiq.server.refusals import BAD_HOST, NOT_OUR_HOST, Refusal
from routeiq.server.settings import UNIX_PREFIX, ServerSettings

# One authority without user information: labels without a last dot, or an address in brackets; a port of digits.
_AUTHORITY = re.compile(
    rb"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){0,31})(?::([0-9]{1,5}))?"
)
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
ANY = "*"


class Hosts:
    """The names of one listening socket. Without any, every well-formed name is taken."""

    def __init__(self, names: Iterable[str] | None) -> None:
        written = None if names is None else {name.lower().encode() for name in names}
        self._any = written is None or ANY.encode() in written
        self._exact = frozenset(name for name in written or () if not name.startswith(b"*."))
        self._below = tuple(name[1:] for name in written or () if name.startswith(b"*."))

    @classmethod
    def of(cls, settings: ServerSettings) -> Hosts:
        """The operator's list. Where only this machine can connect, its own names are in it, and it is never open by
        default; beyond, the names under which a gateway is reached are the operator's to know."""
        host = settings.host
        if host.startswith(UNIX_PREFIX):  # no browser reaches it, and the proxy before it speaks for many names
            return cls(settings.allowed_hosts)
        if not is_local(host):
            return cls(settings.allowed_hosts)
        own = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return cls({*_LOOPBACK, own, *(settings.allowed_hosts or ())})

    @property
    def open(self) -> bool:
        """Whether any name is taken."""
        return self._any

    def judge(self, host: bytes) -> Refusal | None:
        """The reason to refuse this value of a Host header, or `None`."""
        found = _AUTHORITY.fullmatch(host)
        if found is None:
            return BAD_HOST
        port = found[2]
        if port is not None and int(port) > 65535:
            return BAD_HOST
        if self._any:
            return None
        name = found[1].lower()
        if name in self._exact or name.endswith(self._below):
            return None
        return NOT_OUR_HOST
