"""`routeiq`: the list of commands, each loaded only when it is called.

What a command does is in its own file.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click

from routeiq import __version__
from routeiq_sdk.errors import RouteIQError

GROUP = "routeiq.commands"
EX_CONFIG = 78

_OWN = {
    "init": ("routeiq.cli.init:init", "Write a commented routeiq.yaml for this machine."),
    "check": ("routeiq.cli.check:check", "Look whether a configuration can be served."),
    "serve": ("routeiq.cli.serve:serve", "Serve the gateway."),
    "top": ("routeiq.cli.top:top", "Watch a running gateway."),
    "migrate": ("routeiq.cli.migrate:migrate", "Bring database tables to the revision this release needs."),
    "schema": ("routeiq.cli.schema:schema", "Print the JSON schema of the configuration."),
    "plugins": ("routeiq.cli.plugins:plugins", "List, order, check, lock and start plugins."),
}


class Commands(click.Group):
    """Our commands and those of plugins."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Ours first, plugins' after."""
        others = sorted({point.name for point in entry_points(group=GROUP)} - _OWN.keys())
        return [*_OWN, *others]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import one command."""
        if name in _OWN:
            module, _, attribute = _OWN[name][0].partition(":")
            command: click.Command = getattr(importlib.import_module(module), attribute)
            return command
        for point in entry_points(group=GROUP):
            if point.name == name:
                loaded: click.Command = point.load()
                return loaded
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list, without importing anything."""
        rows = [(name, text) for name, (_, text) in _OWN.items()]
        for point in entry_points(group=GROUP):
            if point.name not in _OWN:
                source = point.dist.name if point.dist is not None else "a plugin"
                rows.append((point.name, f"From {source}."))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="routeiq")
@click.pass_context
def cli(context: click.Context) -> None:
    """RouteIQ, an AI gateway that chooses the model and explains why."""
    context.obj = document_of


def document_of(path: Path) -> Mapping[str, Any]:
    """A configuration's document, its references resolved: what commands of plugins read. Raises `ConfigError`."""
    from routeiq.config import load

    return load(path).written


def main() -> None:
    """The entry point: errors of ours are one clear message, not a traceback."""
    try:
        cli(prog_name="routeiq")
    except RouteIQError as error:
        click.echo(f"routeiq: {error}", err=True)
        sys.exit(EX_CONFIG)
