"""How commands show what they got: tables for people, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import click

_NARROW = 16


def print_json(value: Any) -> None:
    """The answer as it came."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """A table; `empty` says what it means that there are no rows."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = [[text(cell) for cell in row] for row in rows]
    if not shown:
        click.echo(empty)
        return
    table = Table(title=title, title_justify="left")
    for column in columns:
        right = column.endswith(("USD", "requests", "tokens", "limit", "found", "imported", "there", "out"))
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in shown:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def print_fields(fields: Mapping[str, Any]) -> None:
    """One thing, a line a field; what is empty is left out."""
    width = max((len(name) for name, value in fields.items() if value not in (None, "", [], {})), default=0)
    for name, value in fields.items():
        if value not in (None, "", [], {}):
            click.echo(f"{name:<{width}}  {text(value)}")


def text(value: Any) -> str:
    """A cell."""
    if value is None or value == [] or value == {}:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return printable(", ".join(value))
    if isinstance(value, dict | list):
        return printable(json.dumps(value, ensure_ascii=False))
    return printable(str(value))


def printable(found: str) -> str:
    """A text of others without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in found)


def dollars(value: Any) -> str:
    """An amount, to the nano-USD and without zeros that say nothing."""
    if value is None:
        return "-"
    amount = Decimal(str(value)).quantize(Decimal("0.000000001"))
    whole, _, rest = f"{amount:,f}".partition(".")
    return f"{whole}.{rest.rstrip('0'):0<2}"


def budget(row: Mapping[str, Any]) -> str:
    """What an entity may spend, and in which window."""
    if row.get("max_budget") is None:
        return "-"
    window = row.get("budget_duration")
    return f"{dollars(row['max_budget'])} / {window}" if window else dollars(row["max_budget"])


def when(value: Any) -> str:
    """A time to the minute."""
    return str(value)[:_NARROW].replace("T", " ") if value else "-"


def short(id: Any) -> str:
    """The beginning of an id."""
    return f"{id[:12]}..." if isinstance(id, str) and len(id) > _NARROW else str(id or "-")
