"""What commands print: JSON, tables, and bars of progress on stderr when that is a terminal.

What is printed is decided by the commands.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from routeiq_routing_ml.training.trainer import Progress


def print_json(value: Any) -> None:
    """One JSON value on stdout. NaN and infinity are a `ValueError`."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None) -> None:
    """A table on stdout; texts are taken as they are. The first column is left, all others right."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left", title_style="bold")
    for place, name in enumerate(columns):
        table.add_column(name, justify="left" if place == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console(soft_wrap=False).print(table)


def printable(text: str) -> str:
    """A text without what could move a terminal's cursor or is no character."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def percent(share: float) -> str:
    """A share as per cent."""
    return f"{share:.1%}"


def dollars(amount: float) -> str:
    """US dollars of one query, as dollars a thousand queries."""
    return f"{amount * 1000:.4g}"


@contextmanager
def bars() -> Iterator[Progress]:
    """Shows steps while the block runs. Where stderr is no terminal, nothing is shown."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as shown:
        steps: dict[str, TaskID] = {}

        def hear(step: str, done: int, of: int) -> None:
            if step not in steps:
                steps[step] = shown.add_task(step, total=of)
            shown.update(steps[step], completed=done, total=of)

        yield hear
