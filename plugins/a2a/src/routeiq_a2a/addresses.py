"""What an address in a configuration or a row may look like.

Whether it may be called is the egress' business.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

_LAST_PORT = 65_535


def checked_url(url: str) -> str:
    """An http(s) address without credentials and fragment. Raises `ValueError`."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
        raise ValueError("not an http(s) address without credentials and fragment")
    return url


def listening_at(told: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, where a listener is; an IPv6 address stands in brackets. Raises `ValueError`."""
    host, _, port = told.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _LAST_PORT:
        raise ValueError("not HOST:PORT, such as 127.0.0.1:50051")
    plain = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if plain != "localhost":
        try:
            modern = ip_address(plain).version == 6
        except ValueError:
            raise ValueError("HOST is an address of this machine (0.0.0.0 and [::] are all) or localhost") from None
        if modern != (plain != host):
            raise ValueError("an IPv6 address stands in brackets, such as [::1]:50051")
    return plain, int(port)


def is_loopback(host: str) -> bool:
    """Whether a host of `listening_at` is reached from this machine alone."""
    return host == "localhost" or ip_address(host).is_loopback
