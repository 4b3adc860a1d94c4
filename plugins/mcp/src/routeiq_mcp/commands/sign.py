"""`routeiq mcp sign`: the signatures that stdio servers of a configuration need.

What is signed is `upstream.signed`'s business; nothing is started or written here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from routeiq_mcp.upstream.signed import SignedProgram, program_of, sign
from routeiq_sdk import ConfigError

_MOST_KEY = 4096


@click.command("sign")
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--key",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The Ed25519 private key, PEM, readable by its owner alone.",
)
@click.option("--server", multiple=True, help="Sign this server alone; may be repeated.")
@click.pass_context
def sign_program(context: click.Context, config: Path, key: Path, server: tuple[str, ...]) -> None:
    """Print a signature for each stdio server of CONFIG, to be pasted into its row as `signature`.

    What is signed is the name, the program, its arguments, its folder and its environment as they stand there, so read
    them first. Of variables that are named as secrets the values are not signed.
    """
    if not callable(context.obj):
        raise click.ClickException("a configuration can be read by `routeiq mcp` alone")
    found = dict(_programs(context.obj(config)))
    missing = [name for name in server if name not in found]
    if missing:
        raise click.ClickException(f"{config} has no stdio server {missing[0]}")
    if not found:
        raise click.ClickException(f"{config} has no stdio server: a row of mcp_servers with a command")
    pem = _private(key)
    for name, program in found.items():
        if server and name not in server:
            continue
        try:
            signature = sign(name, program, pem)
        except ValueError as error:
            raise click.ClickException(f"{key} is {error}") from None
        shown = " ".join([program.command, *program.args])
        click.echo(f"# {name}: {shown}\nmcp_servers:\n  {name}:\n    signature: {signature}")


def _programs(document: Mapping[str, Any]) -> Iterator[tuple[str, SignedProgram]]:
    rows = document.get("mcp_servers")
    for name, row in rows.items() if isinstance(rows, Mapping) else ():
        if isinstance(row, Mapping) and row.get("command") is not None:
            try:
                yield str(name), program_of(row)
            except ValidationError as error:
                first = error.errors(include_input=False, include_url=False)[0]
                place = ".".join(map(str, first["loc"]))
                raise ConfigError(f"mcp_servers.{name}.{place}: {first['msg']}") from None


def _private(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise click.ClickException(f"others may read {path}: chmod 600 {path}")
    with path.open("rb") as file:
        return file.read(_MOST_KEY)
