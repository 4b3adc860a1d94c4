"""Reads the URL of a Redis or Valkey store: where it is and how one gets in. Errors never repeat the URL.

Nothing is opened here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from routeiq_sdk import ConfigError

Mode = Literal["single", "sentinel", "cluster"]
Address = tuple[str, int]

_PORT = 6379
_SENTINEL_PORT = 26379
_TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname")
_OPTIONS = ("db", "prefix", "sentinel_username", "sentinel_password", *_TLS_OPTIONS)


@dataclass(frozen=True, slots=True)
class RedisPlace:
    """Where a store is. `hosts` are the server, the sentinels or some nodes of a cluster; `path` is a Unix socket.

    `login` and `sentinel_login` are keyword arguments of a connection: user, password, TLS files. `prefix` begins every
    key, so that several gateways can share one server.
    """

    mode: Mode
    hosts: tuple[Address, ...]
    path: str = ""
    tls: bool = False
    db: int = 0
    service: str = ""
    prefix: str = "routeiq"
    login: Mapping[str, Any] = field(default_factory=dict, repr=False)
    sentinel_login: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return self.path or ", ".join(f"{host}:{port}" for host, port in self.hosts)


def read_redis_url(url: str) -> RedisPlace:
    """`redis://`, `rediss://` (TLS), `valkey://`, `valkeys://` and `unix://`, with `+sentinel` or `+cluster` behind the
    scheme for those. Raises `ConfigError`."""
    parts = urlsplit(url)
    scheme, _, mode = parts.scheme.partition("+")
    if scheme not in ("redis", "rediss", "valkey", "valkeys", "unix") or mode not in ("", "sentinel", "cluster"):
        raise _wrong(
            "its scheme is not known", "write redis://, rediss://, redis+sentinel://, redis+cluster:// or unix://"
        )
    options = _options(parts)
    userinfo, _, hosts = parts.netloc.rpartition("@")
    login = {**_login(userinfo), **_tls(options)}
    prefix = options.get("prefix", "routeiq")
    if not prefix or set(prefix) & set("{}"):
        raise _wrong("its prefix is empty or has a brace in it")
    if scheme == "unix":
        if mode or not parts.path:
            raise _wrong("a Unix socket has a path and neither sentinels nor a cluster", "write unix:///path/to/socket")
        return RedisPlace(
            "single", (), unquote(parts.path), db=_number(options.get("db", "0")), prefix=prefix, login=login
        )
    path = [unquote(step) for step in parts.path.split("/") if step]
    service = ""
    if mode == "sentinel":
        if not path:
            raise _wrong("the service is missing", "write redis+sentinel://host:26379,host:26379/service")
        service = path.pop(0)
    db = _number(options.get("db", path.pop(0) if path else "0"))
    if path or (mode == "cluster" and db):
        raise _wrong("its path is too long" if path else "a cluster has database 0 alone")
    found = tuple(_address(host, _SENTINEL_PORT if mode == "sentinel" else _PORT) for host in hosts.split(","))
    if not mode and len(found) > 1:
        raise _wrong("it names several hosts", "write redis+sentinel:// or redis+cluster://")
    asking = {name: options[f"sentinel_{name}"] for name in ("username", "password") if f"sentinel_{name}" in options}
    return RedisPlace(
        _MODES[mode],
        found,
        tls=scheme.endswith("s") and scheme != "redis",
        db=db,
        service=service,
        prefix=prefix,
        login=login,
        sentinel_login={**asking, **_tls(options)},
    )


_MODES: Mapping[str, Mode] = {"": "single", "sentinel": "sentinel", "cluster": "cluster"}


def _options(parts: SplitResult) -> dict[str, str]:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(set(options) - set(_OPTIONS))
    if unknown:
        raise _wrong(f"it has an unknown option: {unknown[0]}", f"known are {', '.join(_OPTIONS)}")
    return options


def _login(userinfo: str) -> dict[str, Any]:
    user, colon, password = userinfo.partition(":")
    login = {"username": unquote(user)} if user else {}
    return {**login, "password": unquote(password)} if colon and password else login


def _tls(options: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {name: options[name] for name in _TLS_OPTIONS if name in options}
    if "ssl_check_hostname" in found:
        found["ssl_check_hostname"] = found["ssl_check_hostname"].lower() in ("1", "true", "yes")
    return found


def _address(written: str, port: int) -> Address:
    try:
        parts = urlsplit(f"//{written}")
        host, number = parts.hostname, parts.port
    except ValueError:
        raise _wrong("a host or port in it cannot be read") from None
    if not host:
        raise _wrong("a host is missing")
    return unquote(host), number or port


def _number(written: str) -> int:
    if not written.isascii() or not written.isdigit():
        raise _wrong("its database is not a number")
    return int(written)


def _wrong(what: str, mend: str | None = None) -> ConfigError:
    return ConfigError(f"the Redis URL of the state store cannot be used: {what}.", mend=mend)
