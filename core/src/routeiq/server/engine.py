"""The engine contract, and how an engine is found by name without importing the others.

Adapters live in modules of their own; what an engine lacks is made up for in `guards` or recorded in `probes.toml`.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Protocol, cast

from starlette.types import ASGIApp

from routeiq.server.listener import is_local
from routeiq.server.settings import ServerSettings
from routeiq_sdk.errors import ConfigError

ENGINE_GROUP = "routeiq.engines"

# The worker cuts what is left at `grace_seconds`; an engine's own limit must lie beyond, or it would judge first.
ENGINE_MARGIN_SECONDS = 5.0


class Engine(Protocol):
    """An HTTP server that runs one ASGI application on one inherited socket, in the running event loop.

    `serve` runs the lifespan protocol, then accepts until `shutdown()` returns, then closes `sock` (which it owns and
    which is bound; the worker has made it listen by then), lets live responses finish and returns. It installs no
    signal handler and starts no process. A class without state: it is constructed without arguments.
    """

    name: str
    requires: str  # top-level module of the server library
    safe_alone: bool  # refuses every probe of probes.toml, so it may face a network without a front proxy

    async def serve(
        self,
        app: ASGIApp,
        sock: socket.socket,
        settings: ServerSettings,
        shutdown: Callable[[], Awaitable[None]],
    ) -> None: ...


def engine_names() -> list[str]:
    return sorted({entry.name for entry in entry_points(group=ENGINE_GROUP)})


def find_engine(name: str) -> Engine:
    """Load one engine by its entry-point name. Raises `ConfigError` naming the mend."""
    entries = list(entry_points(group=ENGINE_GROUP, name=name))
    if not entries:
        raise ConfigError(f"server.engine {name!r} is not installed", mend=f"choose one of {', '.join(engine_names())}")
    if len({entry.value for entry in entries}) > 1:
        owners = ", ".join(sorted(entry.dist.name if entry.dist else "?" for entry in entries))
        raise ConfigError(
            f"server.engine {name!r} is claimed by several distributions: {owners}", mend="uninstall all but one"
        )
    engine = cast("Engine", entries[0].load()())
    if find_spec(engine.requires) is None:
        raise ConfigError(
            f"server.engine {name!r} needs a package that is not installed",
            mend=f'pip install "routeiq[{name}]"',
        )
    return engine


def check_exposure(engine: Engine, settings: ServerSettings) -> None:
    """An engine with known holes faces other machines only through a proxy that the operator vouches for."""
    if engine.safe_alone or settings.behind_proxy or is_local(settings.host):
        return
    raise ConfigError(
        f"engine {engine.name!r} may not listen on {settings.host} by itself: there are malformed requests that it "
        "cannot refuse (see the table of engines in the documentation)",
        mend="use engine hypercorn, or put a proxy in front and set routeiq.server.behind_proxy: true",
    )
