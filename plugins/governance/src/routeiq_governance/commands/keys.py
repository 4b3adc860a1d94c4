"""`routeiq keys`: virtual keys of a running gateway."""

from __future__ import annotations

from typing import Any

import click

from routeiq_governance.commands import options
from routeiq_governance.commands.client import Client, confirmed, named
from routeiq_governance.commands.showing import budget, dollars, print_fields, print_json, print_table, short, when


@click.group()
def keys() -> None:
    """Virtual keys: make, list, change, rotate, block, delete."""


@keys.command()
@click.option("--alias", "key_alias", help="A name for people.")
@click.option("--team", "team_id", help="The team it belongs to.")
@click.option("--user", "user_id", help="The user it belongs to.")
@click.option("--duration", help="How long it works, such as 30d; for ever without it.")
@options.models
@options.limits
@options.metadata
@options.of_gateway
def create(client: Client, as_json: bool, models: tuple[str, ...], **fields: Any) -> None:
    """Make a key. It is shown this one time."""
    made = client.post("/key/generate", {**fields, "models": list(models) or None})
    if as_json:
        print_json(made)
        return
    click.echo(made["key"])
    click.echo("Keep it now: it is not shown again.", err=True)


@keys.command("list")
@click.option("--team", "team_id", help="Of this team alone.")
@click.option("--user", "user_id", help="Of this user alone.")
@click.option("--alias", "key_alias", help="Whose alias has this in it.")
@options.of_gateway
def listed(client: Client, as_json: bool, **query: Any) -> None:
    """The keys that you may see."""
    rows = list(client.pages("/key/list", "keys", return_full_object="true", **query))
    if as_json:
        print_json(rows)
        return
    columns = ("key", "alias", "team", "user", "models", "spend, USD", "budget, USD", "expires", "state")
    cells = [
        (
            row["key_name"] or short(row["token"]),
            row["key_alias"],
            row["team_id"],
            row["user_id"],
            row["models"] or "all",
            dollars(row["spend"]),
            budget(row),
            when(row["expires"]),
            "blocked" if row["blocked"] else "works",
        )
        for row in rows
    ]
    print_table("keys", columns, cells, empty="no keys: make one with `routeiq keys create`")


@keys.command()
@click.argument("key_or_id")
@options.of_gateway
def info(client: Client, as_json: bool, key_or_id: str) -> None:
    """One key, by itself or by its id."""
    told = client.get("/key/info", key=key_or_id)
    if as_json:
        print_json(told)
        return
    row = told["info"]
    shown = {**row, "spend": f"{dollars(row['spend'])} USD", "max_budget": budget(row)}
    print_fields({name: value for name, value in shown.items() if value is not False})


@keys.command()
@click.argument("key_or_id")
@click.option("--alias", "key_alias", help="A name for people.")
@click.option("--duration", help="How long it works from now, such as 30d.")
@options.models
@options.limits
@options.metadata
@options.of_gateway
def update(client: Client, as_json: bool, key_or_id: str, models: tuple[str, ...], **fields: Any) -> None:
    """Change a key; what is not given stays."""
    body = {**fields, "models": list(models) or None}
    if not any(value is not None for value in body.values()):
        raise click.UsageError("say what to change")
    told = client.post("/key/update", {**body, "key": key_or_id})
    _done(told, as_json, f"changed {short(told['key'])}")


@keys.command()
@click.argument("key_or_id")
@options.of_gateway
def block(client: Client, as_json: bool, key_or_id: str) -> None:
    """Refuse all requests of a key."""
    _done(client.post("/key/block", {"key": key_or_id}), as_json, "blocked")


@keys.command()
@click.argument("key_or_id")
@options.of_gateway
def unblock(client: Client, as_json: bool, key_or_id: str) -> None:
    """Serve a key again."""
    _done(client.post("/key/unblock", {"key": key_or_id}), as_json, "unblocked")


@keys.command()
@click.argument("key_or_id")
@click.option("--overlap", help="How long the old one works beside the new one, such as 24h; not at all without it.")
@options.of_gateway
def rotate(client: Client, as_json: bool, key_or_id: str, overlap: str | None) -> None:
    """Give a key another text. The new one is shown this one time."""
    told = client.post(f"/key/{named(key_or_id)}/regenerate", {"grace_period": overlap})
    if as_json:
        print_json(told)
        return
    click.echo(told["key"])
    until = f"The old one works for {overlap} more." if overlap else "The old one works no more."
    click.echo(f"Keep it now: it is not shown again. {until}", err=True)


@keys.command()
@click.argument("key_or_id", nargs=-1, required=True)
@options.yes
@options.of_gateway
def delete(client: Client, as_json: bool, key_or_id: tuple[str, ...], yes: bool) -> None:
    """Delete keys."""
    confirmed(f"Delete {len(key_or_id)} keys?", yes=yes)
    told = client.post("/key/delete", {"keys": list(key_or_id)})
    _done(told, as_json, f"deleted {len(told['deleted_keys'])}")


def _done(told: Any, as_json: bool, line: str) -> None:
    if as_json:
        print_json(told)
    else:
        click.echo(line)
