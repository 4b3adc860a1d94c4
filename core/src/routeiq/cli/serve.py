"""`routeiq serve`.

Processes and sockets are in `routeiq.server`, the application in `routeiq.app`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from routeiq.config.routeiq_block import Limits
from routeiq.config.server_block import Server
from routeiq.server.settings import ServerSettings, WorkerSpec

FACTORY = "routeiq.app:factory"


@click.command()
@click.option("--config", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The YAML file.")
@click.option("--host", help="Address to listen on; overrides routeiq.server.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.")
@click.option("--workers", type=click.IntRange(1, 256), help="Worker processes.")
@click.option("--engine", help="Server engine: hypercorn, uvicorn, granian.")
@click.option("--locked", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Plugin lock to hold to.")
@click.option("--json", "as_json", is_flag=True, help="Announce the address as one JSON line.")
def serve(
    path: Path | None,
    host: str | None,
    port: int | None,
    workers: int | None,
    engine: str | None,
    locked: Path | None,
    as_json: bool,
) -> None:
    """Serve the gateway until it is told to stop (SIGTERM drains, SIGHUP reloads)."""
    from routeiq.app import read_config  # the rest of the command line must not pay for these imports
    from routeiq.server.supervisor import serve as run

    config = read_config(path).with_server(host=host, port=port, workers=workers, engine=engine)
    spec = WorkerSpec(
        factory=FACTORY,
        config_path=str(path.resolve()) if path is not None else None,
        settings=_settings(config.routeiq.server, config.routeiq.limits),
        lock_path=str(locked.resolve()) if locked is not None else None,
        check=_check(path, locked),
    )

    def announce(line: str) -> None:
        address = line.removeprefix("listening on ").partition(",")[0]
        click.echo(json.dumps({"listening": address}) if as_json else f"RouteIQ {line}")

    sys.exit(run(spec, announce, lambda line: click.echo(f"routeiq: {line}", err=True)))


def _check(path: Path | None, locked: Path | None) -> tuple[str, ...]:
    """What a process of its own runs before several workers reload. It imports plugins, so it holds to the lock too."""
    if path is None:
        return ()
    command = ("-m", "routeiq", "check", "--config", str(path.resolve()))
    return command if locked is None else (*command, "--locked", str(locked.resolve()))


def _settings(server: Server, limits: Limits) -> ServerSettings:
    return ServerSettings(
        engine=server.engine,
        host=server.host,
        port=server.port,
        workers=server.workers,
        grace_seconds=server.grace_seconds,
        head_kib=limits.head_kib,
        body_seconds=limits.body_seconds,
        behind_proxy=server.behind_proxy,
        certfile=str(server.tls.certfile) if server.tls is not None else None,
        keyfile=str(server.tls.keyfile) if server.tls is not None else None,
        allowed_hosts=server.allowed_hosts,
        allowed_origins=server.allowed_origins,
    )
