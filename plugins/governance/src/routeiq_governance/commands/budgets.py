"""`routeiq budgets`: "team A gets 50 dollars a day" in one line, and the budgets that entities share."""

from __future__ import annotations

import re
import zlib
from typing import Any

import click

from routeiq_governance.commands import options
from routeiq_governance.commands.client import Client, Refused, confirmed, named
from routeiq_governance.commands.policies import PATH, show_policies
from routeiq_governance.commands.showing import budget, print_fields, print_json, print_table

_WHO = ("org", "team", "user", "key", "customer", "model", "provider", "tag", "route")
_UNITS = ("usd", "requests", "input_tokens", "output_tokens", "total_tokens", "concurrent")
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,40}")
_NOT_FOUND = 404


@click.group()
def budgets() -> None:
    """Who may spend how much: set, list, show, delete."""


@budgets.command("set")
@click.argument("who", type=click.Choice(_WHO))
@click.argument("name")
@click.argument("limit", type=float)
@click.argument("unit")
@click.option("--zone", help="IANA time zone of the window; UTC without it.")
@click.option("--rolling", is_flag=True, default=None, help="Let the window slide instead of following the calendar.")
@click.option("--soft", type=float, multiple=True, help="A part of the limit at which an event is sent, such as 0.8.")
@click.option("--shadow", is_flag=True, help="Only tell what would be refused.")
@options.of_gateway
def set_budget(
    client: Client,
    as_json: bool,
    who: str,
    name: str,
    limit: float,
    unit: str,
    soft: tuple[float, ...],
    shadow: bool,
    **more: Any,
) -> None:
    """Set what somebody may use: `routeiq budgets set team A 50 usd/day`.

    NAME is an id or an alias, `*` each on its own. UNIT is what is counted (usd, requests, input_tokens, output_tokens,
    total_tokens, concurrent), and after a slash how often it begins anew: minute, hour, day, week, month or a duration.
    Setting it again changes it.
    """
    counted, _, window = unit.partition("/")
    if counted not in _UNITS:
        raise click.BadParameter(f"is usd/day, requests/minute or such; known units: {', '.join(_UNITS)}")
    id = _id(who, name, counted, window)
    body = {"scope": {who: name}, "limit": limit, "unit": counted, "window": window or None, **more}
    body |= {"soft": list(soft), "mode": "shadow" if shadow else "enforce"}
    told = {field: value for field, value in body.items() if value is not None}
    try:
        answer = client.ask("PATCH", f"{PATH}/{named(id)}", told)
    except Refused as refused:
        if refused.status != _NOT_FOUND:
            raise
        answer = client.ask("POST", PATH, {"id": id, **told})
    if as_json:
        print_json(answer)
    else:
        click.echo(f"{answer['id']}: {who} {name} gets {limit:g} {counted} {f'a {window}' if window else 'in all'}")


@budgets.command("list")
@options.of_gateway
def listed(client: Client, as_json: bool) -> None:
    """All quotas, and the budgets that entities share."""
    quotas, shared = client.get(PATH)["data"], client.get("/budget/list")
    if as_json:
        print_json({"quotas": quotas, "shared": shared})
        return
    show_policies(quotas)
    if shared:
        cells = [(row["budget_id"], budget(row), row.get("rpm_limit"), row.get("tpm_limit")) for row in shared]
        print_table("shared budgets", ("budget", "budget, USD", "rpm limit", "tpm limit"), cells, empty="")


@budgets.command()
@click.argument("id")
@options.of_gateway
def show(client: Client, as_json: bool, id: str) -> None:
    """One quota, or one shared budget."""
    try:
        told = client.get(f"{PATH}/{named(id)}")
    except Refused as refused:
        found = client.post("/budget/info", {"budgets": [id]}) if refused.status == _NOT_FOUND else None
        if not found:
            raise
        told = found[0]
    if as_json:
        print_json(told)
    else:
        print_fields(told)


@budgets.command()
@click.argument("id")
@options.yes
@options.of_gateway
def delete(client: Client, as_json: bool, id: str, yes: bool) -> None:
    """Delete a quota."""
    confirmed(f"Delete the quota {id}?", yes=yes)
    told = client.ask("DELETE", f"{PATH}/{named(id)}")
    if as_json:
        print_json(told)
    else:
        click.echo(f"deleted {id}")


def _id(who: str, name: str, unit: str, window: str) -> str:
    """One name for one quota, so that setting it again finds it."""
    plain = name if _PLAIN.fullmatch(name) else f"{zlib.crc32(name.encode()):08x}"
    return "-".join(part for part in (who, plain, unit, window) if part)[:64]
