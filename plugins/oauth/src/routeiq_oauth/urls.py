"""Which addresses may be trusted with keys and codes.

What is fetched from them is told elsewhere.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_loopback(host: str | None) -> bool:
    """Whether a host name is this machine's alone."""
    if host is None:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_url(url: str, *, allow_http: bool = False) -> str:
    """`url`, when it is https or on loopback, without credentials and fragment. Raises `ValueError`."""
    if not url.isascii() or any(letter <= " " or letter in '\\"<>^`{|}' for letter in url):
        raise ValueError("a URL in plain ASCII without blanks")
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc or "#" in url:
        raise ValueError("not an http(s) URL without credentials and fragment")
    try:
        parts.port  # noqa: B018 - it raises for a port that is none
    except ValueError:
        raise ValueError("the port is no port") from None
    if parts.scheme == "http" and not (allow_http or is_loopback(parts.hostname)):
        raise ValueError("plain http lets anybody on the way read and change it; use https")
    return url


def origin(url: str) -> str:
    """Scheme, host and port of a URL, in one spelling."""
    parts = urlsplit(url)
    default = {"https": 443, "http": 80}.get(parts.scheme)
    port = "" if parts.port in (None, default) else f":{parts.port}"
    host = (parts.hostname or "").lower()
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"
