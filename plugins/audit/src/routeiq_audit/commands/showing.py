"""How the commands show what they found, and the options that several of them have."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

CLASSES = ("admin", "policy", "auth", "request", "guard", "tool", "other")
Command = Callable[..., Any]


def print_json(value: Any) -> None:
    """Something as indented JSON."""
    import orjson

    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))


def printable(found: str) -> str:
    """A text of others without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in found)


def of_trail(command: Command) -> Command:
    """PATH or `--config`, and filters; the command gets `folders` and `selection`."""

    @click.argument(
        "paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path)
    )
    @click.option(
        "--config",
        "config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Read the folders that this gateway's YAML names, in place of PATH.",
    )
    @click.option("--class", "classes", multiple=True, type=click.Choice(CLASSES), help="Only these; may be repeated.")
    @click.option("--principal", help="Only what this credential or user did.")
    @click.option("--stream", help="Only this stream.")
    @click.option("--since", callback=_moment, help="From then on: 2026-01-31, 2026-01-31T08:00, 90m, 12h, 7d.")
    @click.option("--until", callback=_moment, help="Up to then.")
    @functools.wraps(command)
    def wrapped(
        paths: tuple[Path, ...],
        config: Path | None,
        classes: tuple[str, ...],
        principal: str | None,
        stream: str | None,
        since: str,
        until: str,
        **options: Any,
    ) -> Any:
        from routeiq_audit.selecting import Selection

        selection = Selection(frozenset(classes), principal, stream, since, until)
        return command(folders=_folders(paths, config), selection=selection, **options)

    return wrapped


def _folders(paths: tuple[Path, ...], config: Path | None) -> list[Path]:
    from routeiq_audit.sources import folders_of

    context = click.get_current_context().find_root()

    if bool(paths) == (config is not None):
        raise click.UsageError("name one PATH or more, or --config")
    if config is None:
        return list(paths)
    if not callable(context.obj):
        raise click.UsageError("--config is known to `routeiq audit` alone")
    document: Mapping[str, Any] = context.obj(config)
    try:
        return folders_of(document)
    except ValueError as error:
        raise click.UsageError(f"{config}: {error}") from None


def _moment(_: click.Context, __: click.Parameter, text: str | None) -> str:
    from routeiq_audit.selecting import moment_of

    if text is None:
        return ""
    try:
        return moment_of(text)
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{text!r} is no date, no time and no age such as 12h") from None
