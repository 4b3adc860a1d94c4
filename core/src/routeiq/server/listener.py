"""The one place that binds the listening socket, and says where it listens.

Listening and accepting come later, in the worker: until the application is ready a connection is refused.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import stat

from routeiq.server.settings import UNIX_PREFIX, ServerSettings
from routeiq_sdk.errors import ConfigError

BACKLOG = 2048


def bind(settings: ServerSettings) -> socket.socket:
    """A bound stream socket that does not listen yet. Raises `ConfigError` when the address cannot be had."""
    try:
        return _bind_unix(settings.unix_path) if settings.unix_path else _bind_inet(settings)
    except OSError as error:
        place = settings.host if settings.unix_path else f"{settings.host}:{settings.port}"
        taken = error.errno == errno.EADDRINUSE
        raise ConfigError(
            f"cannot listen on {place}: {error.strerror or error}",
            mend="stop what listens there, or choose another routeiq.server.port" if taken else None,
        ) from error


def _bind_inet(settings: ServerSettings) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it
        if family == socket.AF_INET6 and settings.host == "::":
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def _bind_unix(path: str) -> socket.socket:
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
    except OSError:
        sock.close()
        raise
    return sock


def _remove_stale(path: str) -> None:
    """Remove a socket file nobody answers on; anything else stays, and makes the bind fail loudly."""
    if not os.path.exists(path) or not stat.S_ISSOCK(os.stat(path).st_mode):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
        try:
            knock.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)


def release(sock_path: str | None) -> None:
    """Remove the file of a unix socket that is no longer served."""
    if sock_path is not None and os.path.exists(sock_path):
        os.unlink(sock_path)


def address_of(sock: socket.socket, *, tls: bool) -> str:
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return f"{UNIX_PREFIX}{name}"
    host = f"[{name[0]}]" if sock.family == socket.AF_INET6 else name[0]
    return f"{'https' if tls else 'http'}://{host}:{name[1]}"


def is_local(host: str) -> bool:
    """True if only this machine can reach a socket bound to `host`."""
    if host.startswith(UNIX_PREFIX):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        return False
    return all(ipaddress.ip_address(str(entry[4][0])).is_loopback for entry in found)
