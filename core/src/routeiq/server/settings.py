"""What the operator may say about serving, and what one worker is told.

Plain frozen data that survives a trip through a command line. No secret and no request logic is ever kept here.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import cast

from starlette.types import ASGIApp

from routeiq_sdk.errors import ConfigError

UNIX_PREFIX = "unix:"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """`host` is an address, a name, or `unix:/path/of/socket` (then `port` is not used)."""

    engine: str = "hypercorn"
    host: str = "127.0.0.1"
    port: int = 4000
    workers: int = 1
    grace_seconds: float = 600.0  # live responses may take this long after the listening socket closed
    lame_duck_seconds: float = 0.0  # readiness is already false, connections are still accepted
    head_kib: int = 64
    body_seconds: float = 30.0  # enforced by the application: no engine has such a limit that spares streams
    keep_alive_seconds: float = 75.0  # idle connections, and the time to send a whole head
    behind_proxy: bool = False
    certfile: str | None = None
    keyfile: str | None = None
    allowed_hosts: tuple[str, ...] | None = None  # names a Host header may hold; see `hosts`
    allowed_origins: tuple[str, ...] = ()  # pages of these may call from a browser

    @property
    def unix_path(self) -> str | None:
        return self.host.removeprefix(UNIX_PREFIX) if self.host.startswith(UNIX_PREFIX) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSpec:
    """What a worker needs to build the application: `factory` is "module:function" and takes this spec.

    The returned ASGI application may have a `drain` (`routeiq.server.drain.Drain`), which readiness reads, and an
    async `reload()`, which SIGHUP calls. Secrets are read by the factory from where the configuration says.
    """

    factory: str
    config_path: str | None
    settings: ServerSettings
    index: int = 0
    lock_path: str | None = None
    check: tuple[str, ...] = ()  # arguments of the Python that looks at a configuration before all workers reload it

    def build(self) -> ASGIApp:
        module_name, _, function = self.factory.partition(":")
        try:
            factory = getattr(importlib.import_module(module_name), function)
        except (ModuleNotFoundError, AttributeError) as error:
            raise ConfigError(f"the application factory {self.factory!r} cannot be found: {error}") from error
        return cast("Callable[[WorkerSpec], ASGIApp]", factory)(self)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> WorkerSpec:
        fields = json.loads(text)
        told = fields["settings"]
        hosts, origins = told.pop("allowed_hosts"), tuple(told.pop("allowed_origins"))
        settings = ServerSettings(
            **told, allowed_hosts=None if hosts is None else tuple(hosts), allowed_origins=origins
        )
        return cls(**(fields | {"settings": settings, "check": tuple(fields["check"])}))
