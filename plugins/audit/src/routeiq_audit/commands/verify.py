"""`routeiq audit verify`: does the whole chain hold, and where not?"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from routeiq_audit.commands.showing import print_json, printable

if TYPE_CHECKING:
    from routeiq_audit.verifying import Report

_Step = Callable[[int, int], None]


@click.command()
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--key",
    "keys",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A public key that you kept elsewhere: no other counts. May be repeated.",
)
@click.option(
    "--anchor",
    "anchors",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Another copy, or its heads and keys alone: what it knows must be here. May be repeated.",
)
@click.option("--stream", help="Only this stream.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def verify(path: Path, keys: tuple[Path, ...], anchors: tuple[Path, ...], stream: str | None, as_json: bool) -> None:
    """Verify the audit objects under PATH: a file sink's folder, or a bucket that was downloaded with its names.

    Exits with 0 only when every chain holds from its first event to the end that was signed; with 1 otherwise.
    """
    from routeiq_audit.verifying import verify as verified

    try:
        with _progress(as_json) as step:
            pems = [key.read_bytes() for key in keys]
            report = verified(path, keys=pems, anchors=anchors, stream=stream, progress=step)
    except ValueError as error:
        raise click.UsageError(f"--key: {error}") from None
    if as_json:
        print_json(report.told())
    else:
        _print(report)
    sys.exit(0 if report.ok else 1)


def _print(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if report.chains:
        table = Table()
        apart = any(chain.tenant != "ALL" for chain in report.chains)
        for name in ("stream", *(("tenant",) if apart else ()), "objects", "events", "first..last", "verdict"):
            table.add_column(name, justify="right" if name in ("objects", "events") else "left", overflow="fold")
        for chain in report.chains:
            span = f"{chain.first}..{chain.last}" if chain.first is not None else "-"
            verdict = Text("ok", style="green")
            if not chain.ok:
                verdict = Text(f"bad from {chain.first_bad} on", style="red")
            elif chain.deleted:
                verdict = Text(f"ok; {chain.deleted} events before were deleted by retention", style="green")
            who = [Text(printable(chain.stream)), *([Text(printable(chain.tenant))] if apart else [])]
            table.add_row(*who, str(chain.objects), str(chain.events), span, verdict)
        console.print(table)
        for chain in report.chains:
            if not chain.ok:
                what = f"bad: {chain.stream} from {chain.first_bad} on: {chain.problem}"
                console.print(Text(printable(what), style="red"), soft_wrap=True)
    for note in (*report.notes, *(note for chain in report.chains for note in chain.notes)):
        console.print(Text(printable(f"note: {note}")), soft_wrap=True)
    for problem in report.problems:
        console.print(Text(printable(f"bad: {problem}"), style="red"), soft_wrap=True)
    if report.keys:
        names = ", ".join(report.keys)
        console.print(Text(f"signed by {names}, " + ("pinned" if report.pinned else "not pinned (see --key)")))
    console.print(Text("the trail holds", style="green") if report.ok else Text("the trail does NOT hold", style="red"))


def _progress(quiet: bool) -> AbstractContextManager[_Step | None]:
    if quiet or not sys.stderr.isatty():
        return nullcontext()
    return _Bar()


class _Bar(AbstractContextManager[_Step]):
    """A progress bar on standard error."""

    def __enter__(self) -> _Step:
        from rich.console import Console
        from rich.progress import Progress

        self._bar = Progress(console=Console(stderr=True), transient=True)
        self._bar.start()
        self._task = self._bar.add_task("verifying", total=None)
        return lambda done, total: self._bar.update(self._task, completed=done, total=total)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
