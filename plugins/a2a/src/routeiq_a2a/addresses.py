"""What an address in a configuration or a row may look like.

Whether it may be called is the egress' business.
"""

from __future__ import annotations

from urllib.parse import urlsplit


def checked_url(url: str) -> str:
    """An http(s) address without credentials and fragment. Raises `ValueError`."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
        raise ValueError("not an http(s) address without credentials and fragment")
    return url
