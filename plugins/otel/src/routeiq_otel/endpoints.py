"""URLs of OTLP receivers: what may be written, and where each signal's path is.

Whether an address may be called is the gateway's egress' business.
"""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

DEFAULT_HTTP = "http://localhost:4318"
DEFAULT_GRPC = "http://localhost:4317"


def checked(url: str) -> str:
    """The URL, if it is one of http or https with a host. Raises `ValueError`."""
    parts = _split(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{_quoted(url)} is no URL of a receiver; write http://HOST:PORT or https://HOST:PORT")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a receiver's URL holds no user and no password; put them into `headers`")
    return url


def signal_url(base: str, signal: str) -> str:
    """The URL of a signal below a receiver's."""
    parts = urlsplit(base)
    return parts._replace(path=f"{parts.path.rstrip('/')}/v1/{signal}").geturl()


def grpc_target(url: str, insecure: bool | None = None) -> tuple[str, bool]:
    """Host and port, and whether the connection is encrypted. Raises `ValueError` for what is no URL."""
    if "://" not in url:
        url = f"{'http' if insecure else 'https'}://{url}"
    parts = _split(checked(url))
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{parts.port or (443 if parts.scheme == 'https' else 4317)}", parts.scheme == "https"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError(f"{_quoted(url)} is no URL") from None
    return parts


def _quoted(url: str) -> str:
    return repr(url.rpartition("@")[2])
