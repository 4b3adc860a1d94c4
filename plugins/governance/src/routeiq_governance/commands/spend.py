"""`routeiq spend`: what was spent, by whom, on what, when."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, TextIO

import click

from routeiq_governance.commands import options
from routeiq_governance.commands.client import Client
from routeiq_governance.commands.showing import dollars, print_json, print_table, short

_BY: Mapping[str, tuple[str, str]] = {
    "key": ("/global/spend/keys", "token"),
    "team": ("/global/spend/teams", "team_id"),
    "user": ("/spend/users", "user_id"),
    "model": ("/global/spend/models", "model"),
    "provider": ("/global/spend/provider", "provider"),
    "tag": ("/global/spend/tags", "name"),
}
_COLUMNS = (
    *("request_id", "startTime", "endTime", "model_group", "model", "custom_llm_provider", "api_key", "user"),
    *("team_id", "organization_id", "end_user", "prompt_tokens", "completion_tokens", "spend_nano_usd", "spend"),
    "status",
)
_Sums = tuple[str, Any, Any, Any]
"""A name, US dollars, requests, tokens."""
_ROWS = 500
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


@click.group()
def spend() -> None:
    """What was spent: report, export."""


def _span(command: Any) -> Any:
    command = click.option("--to", "end_date", metavar="DATE", help="Up to this day, 2026-01-31.")(command)
    return click.option("--from", "start_date", metavar="DATE", help="From this day on, 2026-01-01.")(command)


@spend.command()
@click.option("--by", type=click.Choice([*_BY, "day"]), default="team", show_default=True, help="Sums of what.")
@_span
@options.of_gateway
def report(client: Client, as_json: bool, by: str, start_date: str | None, end_date: str | None) -> None:
    """Sums of what was spent, all of it or within some days."""
    span = {"start_date": start_date, "end_date": end_date}
    if by == "day":
        days = client.get("/global/spend/report", group_by="model", **span)
        rows: list[_Sums] = [(day["group_by_day"], *_of_day(day)) for day in days]
        if as_json:
            print_json(days)
            return
    else:
        path, name = _BY[by]
        told = client.get(path, **span)
        if as_json:
            print_json(told)
            return
        rows = [
            (
                short(row.get(name)),
                row["total_spend"],
                row.get("api_requests", row.get("log_count")),
                row.get("total_tokens"),
            )
            for row in told
        ]
    cells = [(name, dollars(amount), requests, tokens) for name, amount, requests, tokens in rows]
    if rows:
        total = sum(Decimal(str(row[1])) for row in rows)
        cells.append(("in all", dollars(total), _sum(rows, 2), _sum(rows, 3)))
    title = f"spend by {by}" + (f" from {start_date}" if start_date else "") + (f" to {end_date}" if end_date else "")
    print_table(title, (by, "spend, USD", "requests", "tokens"), cells, empty="nothing was spent")


@spend.command()
@click.option(
    "--csv", "file", type=click.File("w", lazy=False), default="-", help="Where to; standard output without it."
)
@_span
@options.of_gateway
def export(client: Client, as_json: bool, file: TextIO, start_date: str | None, end_date: str | None) -> None:
    """Every request with what it cost, as CSV (or a JSON list)."""
    rows = _requests(client, start_date=start_date, end_date=end_date)
    if as_json:
        print_json(list(rows))
        return
    writer = csv.writer(file)
    writer.writerow(_COLUMNS)
    for row in rows:
        writer.writerow([_safe(row.get(name)) for name in _COLUMNS])


def _requests(client: Client, **query: Any) -> Iterator[dict[str, Any]]:
    following: str | None = None
    while True:
        page = client.get("/spend/logs/v2", page_size=_ROWS, after=following, **query)
        yield from page["data"]
        following = page["next"]
        if following is None:
            return


def _of_day(day: Mapping[str, Any]) -> tuple[Decimal, int, int]:
    models = [entry for group in day["models"] for entry in group["metadata"]]
    requests, tokens = (sum(entry[name] for entry in models) for name in ("api_requests", "total_tokens"))
    return sum((Decimal(str(group["total_spend"])) for group in day["models"]), Decimal()), requests, tokens


def _sum(rows: Sequence[Sequence[Any]], column: int) -> int | None:
    known = [row[column] for row in rows if row[column] is not None]
    return sum(known) if known else None


def _safe(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value
