"""`routeiq users`: users of a running gateway."""

from __future__ import annotations

from typing import Any

import click

from routeiq_governance.commands import options
from routeiq_governance.commands.client import Client, confirmed
from routeiq_governance.commands.showing import budget, dollars, print_fields, print_json, print_table

_ROLES = click.Choice(["proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer"])


@click.group()
def users() -> None:
    """Users: make, list, change, delete."""


@users.command()
@click.argument("user_id")
@click.option("--email", "user_email", help="E-mail address.")
@click.option("--role", "user_role", type=_ROLES, help="What the user may do; a plain user without it.")
@click.option("--team", "teams", multiple=True, help="A team to join; may be repeated.")
@click.option("--with-key", "auto_create_key", is_flag=True, help="Make a first key, too, and print it.")
@options.models
@options.limits
@options.of_gateway
def create(
    client: Client, as_json: bool, models: tuple[str, ...], teams: tuple[str, ...], auto_create_key: bool, **fields: Any
) -> None:
    """Make a user."""
    body = {**fields, "models": list(models) or None, "teams": list(teams) or None, "auto_create_key": auto_create_key}
    made = client.post("/user/new", body)
    if as_json:
        print_json(made)
    else:
        click.echo(made["key"] if auto_create_key else made["user_id"])


@users.command("list")
@click.option("--team", help="Of this team alone.")
@click.option("--search", help="Whose id or e-mail address has this in it.")
@options.of_gateway
def listed(client: Client, as_json: bool, **query: Any) -> None:
    """The users that you may see."""
    rows = list(client.pages("/user/list", "users", **query))
    if as_json:
        print_json(rows)
        return
    columns = ("user", "e-mail", "role", "teams", "keys", "spend, USD", "budget, USD")
    cells = [
        (
            row["user_id"],
            row["user_email"],
            row["user_role"],
            row["teams"],
            row["key_count"],
            dollars(row["spend"]),
            budget(row),
        )
        for row in rows
    ]
    print_table("users", columns, cells, empty="no users: make one with `routeiq users create ID`")


@users.command()
@click.argument("user_id")
@options.of_gateway
def info(client: Client, as_json: bool, user_id: str) -> None:
    """One user with its keys and teams."""
    told = client.get("/user/info", user_id=user_id)
    if as_json:
        print_json(told)
        return
    row = told["user_info"]
    shown = {**row, "spend": f"{dollars(row['spend'])} USD", "max_budget": budget(row)}
    shown["keys"] = [key.get("key_alias") or key.get("key_name") or "-" for key in told.get("keys") or ()]
    print_fields({name: value for name, value in shown.items() if value is not False})


@users.command()
@click.argument("user_id")
@click.option("--email", "user_email", help="E-mail address.")
@click.option("--role", "user_role", type=_ROLES, help="What the user may do.")
@options.models
@options.limits
@options.of_gateway
def update(client: Client, as_json: bool, user_id: str, models: tuple[str, ...], **fields: Any) -> None:
    """Change a user; what is not given stays."""
    body = {**fields, "models": list(models) or None}
    if not any(value is not None for value in body.values()):
        raise click.UsageError("say what to change")
    told = client.post("/user/update", {**body, "user_id": user_id})
    if as_json:
        print_json(told)
    else:
        click.echo(f"changed {user_id}")


@users.command()
@click.argument("user_id", nargs=-1, required=True)
@options.yes
@options.of_gateway
def delete(client: Client, as_json: bool, user_id: tuple[str, ...], yes: bool) -> None:
    """Delete users with their keys."""
    confirmed(f"Delete {len(user_id)} users with their keys?", yes=yes)
    told = client.post("/user/delete", {"user_ids": list(user_id)})
    if as_json:
        print_json(told)
    else:
        click.echo(f"deleted {len(user_id)}")
