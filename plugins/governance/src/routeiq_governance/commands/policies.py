"""`routeiq policies`: quotas of a running gateway, as documents."""

from __future__ import annotations

import json
from typing import Any, TextIO

import click

from routeiq_governance.commands import options
from routeiq_governance.commands.client import Client, confirmed, named
from routeiq_governance.commands.showing import dollars, print_fields, print_json, print_table

PATH = "/routeiq/v1/policies"


@click.group()
def policies() -> None:
    """Quotas: list, show, make and change from JSON, delete."""


@policies.command("list")
@options.of_gateway
def listed(client: Client, as_json: bool) -> None:
    """All quotas that you may see: those of the YAML, too."""
    rows = client.get(PATH)["data"]
    if as_json:
        print_json(rows)
    else:
        show_policies(rows)


@policies.command()
@click.argument("id")
@options.of_gateway
def show(client: Client, as_json: bool, id: str) -> None:
    """One quota of the database."""
    told = client.get(f"{PATH}/{named(id)}")
    if as_json:
        print_json(told)
    else:
        print_fields(told)


@policies.command()
@click.argument("document", type=click.File("r"))
@options.of_gateway
def create(client: Client, as_json: bool, document: TextIO) -> None:
    """Make a quota from a JSON file (`-`: standard input), such as
    {"id": "day", "scope": {"team": "A"}, "limit": 50, "unit": "usd", "window": "day"}."""
    _made(client.ask("POST", PATH, _read(document)), as_json)


@policies.command()
@click.argument("id")
@click.argument("document", type=click.File("r"))
@options.of_gateway
def update(client: Client, as_json: bool, id: str, document: TextIO) -> None:
    """Change a quota from a JSON file: absent fields stay, null clears."""
    _made(client.ask("PATCH", f"{PATH}/{named(id)}", _read(document)), as_json)


@policies.command()
@click.argument("id")
@options.yes
@options.of_gateway
def delete(client: Client, as_json: bool, id: str, yes: bool) -> None:
    """Delete a quota of the database."""
    confirmed(f"Delete the quota {id}?", yes=yes)
    told = client.ask("DELETE", f"{PATH}/{named(id)}")
    if as_json:
        print_json(told)
    else:
        click.echo(f"deleted {id}")


def show_policies(rows: list[dict[str, Any]]) -> None:
    """Quotas as a table."""
    cells = [
        (
            row["id"],
            ", ".join(f"{name} {value}" for name, value in (row.get("scope") or {}).items()) or "everybody",
            dollars(row["limit"]) if row["unit"] == "usd" else int(row["limit"]),
            row["unit"],
            _window(row),
            row.get("mode", "enforce"),
            row["source"],
        )
        for row in rows
    ]
    columns = ("quota", "who", "limit", "unit", "window", "mode", "from")
    print_table("quotas", columns, cells, empty="no quotas: set one with `routeiq budgets set team A 50 usd/day`")


def _window(row: dict[str, Any]) -> str:
    window = row.get("window")
    if window is None:
        return "for ever"
    return f"{window}, rolling" if row.get("rolling") else f"{window}, {row.get('zone', 'UTC')}"


def _read(document: TextIO) -> dict[str, Any]:
    try:
        found = json.load(document)
    except ValueError as error:
        raise click.ClickException(f"{document.name} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise click.ClickException(f"{document.name} is no JSON object")
    return found


def _made(told: Any, as_json: bool) -> None:
    if as_json:
        print_json(told)
    else:
        click.echo(told["id"])
