"""`routeiq plugins`: what is installed, what would run in which order, and a start for a new plugin.

The steps themselves are in `routeiq.plugins`; `list` imports no plugin, and nothing here serves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from routeiq.config.model import Config

KIND_NAMES = ("strategy", "guard", "auth", "sink", "protocol", "embedder", "plugin")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_config = click.option("--config", "file", type=_FILE, required=True, help="The gateway's YAML.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def plugins() -> None:
    """See, check, lock and create plugins."""


@plugins.command("list")
@click.option("--config", "file", type=_FILE, help="The gateway's YAML: shows which plugins it names.")
@_json
def list_(file: Path | None, as_json: bool) -> None:
    """List installed plugins, and those that are asked for. Nothing is imported, so gates are not known."""
    from routeiq.plugins.inventory import inventory

    with _one_clear_message():
        rows = inventory(_load(file) if file else None)
    if as_json:
        _print_json([row._asdict() for row in rows])
    else:
        _print_table(
            ("name", "kind", "distribution", "version", "state"),
            [(row.name, row.kind, row.distribution, row.version, row.state) for row in rows],
        )


@plugins.command()
@_config
@_json
def order(file: Path, as_json: bool) -> None:
    """Print which plugins are called at each gate, in order."""
    from routeiq.plugins.assemble import assemble
    from routeiq_sdk.hooks import SPECS

    with _one_clear_message():
        pipeline = assemble(_load(file)).pipeline
    gates = {hook: [call.plugin for call in pipeline.at(hook)] for hook in SPECS if pipeline.at(hook)}
    if as_json:
        _print_json({"gates": gates, "needs": sorted(pipeline.needs)})
    else:
        _print_table(("gate", "plugins"), [(hook, " → ".join(names)) for hook, names in gates.items()])


@plugins.command()
@_config
@_json
def check(file: Path, as_json: bool) -> None:
    """Load everything that the YAML asks for, without serving, and show how far each plugin comes."""
    from routeiq.plugins.check import check_plugins
    from routeiq.plugins.load import RUNGS

    with _one_clear_message():
        report = check_plugins(_load(file))
    if as_json:
        _print_json(report.as_dict())
    else:
        ticks = [
            (one.name, one.distribution or "-", *("✓" if rung in one.passed else "✗" for rung in RUNGS))
            for one in report.plugins
        ]
        _print_table(("name", "distribution", *RUNGS), ticks)
        for notice in report.notices:
            click.echo(notice)
    if report.problems:
        raise click.ClickException("\n".join(report.problems))


@plugins.command()
@_config
@click.option("--out", type=click.Path(path_type=Path), default="routeiq.plugins.lock", show_default=True)
@click.option("--accept", multiple=True, metavar="NAME", help="A start-up file that you looked at, such as x.pth.")
@_json
def lock(file: Path, out: Path, accept: tuple[str, ...], as_json: bool) -> None:
    """Record distribution, version and digest of each plugin that would run, for `serve --locked`."""
    from routeiq.plugins.assemble import assemble
    from routeiq.plugins.lock import write_lock

    with _one_clear_message():
        founds = [member.examined.found for member in assemble(_load(file)).members]
        write_lock(out, founds, accept)
    if as_json:
        _print_json(json.loads(out.read_text(encoding="utf-8")))
    else:
        click.echo(f"locked {len(founds)} plugins in {out}")


@plugins.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(KIND_NAMES), default="plugin", show_default=True)
@click.option("--dir", "directory", type=click.Path(file_okay=False, path_type=Path), default=".")
@_json
def new(name: str, kind: str, directory: Path, as_json: bool) -> None:
    """Write the project of a new plugin, whose tests pass at once."""
    from routeiq.plugins.scaffold import scaffold

    with _one_clear_message():
        folder = scaffold(name, kind, directory)
    if as_json:
        _print_json({"folder": str(folder), "kind": kind, "name": name})
    else:
        click.echo(f'wrote {folder}\nnext: cd {folder} && pip install -e ".[test]" && pytest')


def _load(file: Path) -> Config:
    from routeiq.config.load import load

    return load(file)


@contextmanager
def _one_clear_message() -> Iterator[None]:
    from routeiq_sdk import RouteIQError

    try:
        yield
    except (RouteIQError, OSError) as error:
        raise click.ClickException(str(error)) from error


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
