"""`routeiq audit export`: events in forms that other tools read."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from routeiq_audit.commands.showing import of_trail

if TYPE_CHECKING:
    from routeiq_audit.selecting import Selection
    from routeiq_audit.sources import Part


@click.command()
@of_trail
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "ocsf", "csv", "parquet"]),
    default="jsonl",
    show_default=True,
    help="The lines as they are, as OCSF events, as rows.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file; else standard output.")
def export(folders: list[Path], selection: Selection, form: str, out: Path | None) -> None:
    """Write the events under PATH in another form. `routeiq audit verify` says whether they can be believed."""
    from routeiq_audit.exporting import WRITERS, NoParquet, write_parquet
    from routeiq_audit.sources import parts

    lines = selection.lines(_tracked(parts(folders, selection.since[:10])))
    if form == "parquet":
        if out is None:
            raise click.UsageError("--format parquet needs --out")
        try:
            count = _whole(out, lambda path: write_parquet(lines, path))
        except NoParquet as error:
            raise click.UsageError(str(error)) from None
    elif out is None:
        count = WRITERS[form](lines, sys.stdout.buffer)
    else:

        def write(path: Path) -> int:
            with path.open("wb") as file:
                return WRITERS[form](lines, file)

        count = _whole(out, write)
    click.echo(f"{count} events", err=True)


def _whole(out: Path, write: Callable[[Path], int]) -> int:
    """The file appears under its name once it is complete."""
    unfinished = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        count = write(unfinished)
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
    return count


def _tracked(found: list[Part]) -> Iterable[Part]:
    """The parts, with a progress bar for whoever watches."""
    if not sys.stderr.isatty():
        return found
    from rich.console import Console
    from rich.progress import track

    return track(found, "exporting", console=Console(stderr=True), transient=True)
