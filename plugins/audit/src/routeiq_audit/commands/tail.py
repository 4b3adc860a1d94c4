"""`routeiq audit tail`: the newest events, and those that follow."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from routeiq_audit.commands.showing import of_trail, printable
from routeiq_audit.who import user_of

if TYPE_CHECKING:
    from routeiq_audit.selecting import Selection
    from routeiq_audit.sources import Line

_LOOK_SECONDS = 0.5


@click.command()
@of_trail
@click.option("--lines", "-n", "most", type=click.IntRange(0), default=20, show_default=True, help="How many to begin.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what is sealed from now on, until interrupted.")
@click.option("--json", "as_json", is_flag=True, help="Print each line as it lies in the object.")
def tail(folders: list[Path], selection: Selection, most: int, follow: bool, as_json: bool) -> None:
    """Show the newest events under PATH: a file sink's folder, or the spool's, whose objects are not shipped yet.

    An event is seen here once it is sealed: `seal.seconds` after it happened, at the latest.
    """
    from routeiq_audit.tailing import newest, since

    lines, seen = newest(folders, selection, most)
    for line in lines:
        _show(line, as_json)
    while follow:
        time.sleep(_LOOK_SECONDS)
        for line in since(folders, selection, seen):
            _show(line, as_json)


def _show(line: Line, as_json: bool) -> None:
    from routeiq_audit.canonical import canonical

    click.echo(canonical(line).decode() if as_json else printable(told(line)))


def told(line: Line) -> str:
    """A line for people: when, which class, what, who, how it ended."""
    event: Mapping[str, Any] = line.get("event") or {}
    who = user_of(event) or event.get("principal") or "-"
    name = str(line.get("name", "")).removeprefix("routeiq.")
    facts = [str(event[field]) for field in _FACTS if event.get(field) not in (None, "", 0)]
    return f"{line.get('time', ''):<24}  {line.get('class', ''):<8}  {name:<20}  {who:<20}  {' '.join(facts)}".rstrip()


_FACTS = (
    *("action", "phase", "step", "stage", "tool", "guard", "route", "selected_deployment", "deployment_id"),
    *("http_status", "status", "reason", "error", "what", "id", "dropped"),
)
