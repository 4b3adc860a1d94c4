"""`routeiq teams`: teams of a running gateway, and their members."""

from __future__ import annotations

from typing import Any

import click

from routeiq_governance.commands import options
from routeiq_governance.commands.client import Client, confirmed
from routeiq_governance.commands.showing import budget, dollars, print_fields, print_json, print_table

_ROWS = 500


@click.group()
def teams() -> None:
    """Teams: make, list, change, delete; their members."""


@teams.command()
@click.argument("alias")
@click.option("--id", "team_id", help="Its id; a random one without it.")
@click.option("--organization", "organization_id", help="The organization it belongs to.")
@options.models
@options.limits
@options.metadata
@options.of_gateway
def create(client: Client, as_json: bool, alias: str, models: tuple[str, ...], **fields: Any) -> None:
    """Make a team."""
    made = client.post("/team/new", {**fields, "team_alias": alias, "models": list(models) or None})
    if as_json:
        print_json(made)
    else:
        click.echo(made["team_id"])


@teams.command("list")
@click.option("--organization", "organization_id", help="Of this organization alone.")
@options.of_gateway
def listed(client: Client, as_json: bool, organization_id: str | None) -> None:
    """The teams that you may see."""
    rows = client.get("/team/list", organization_id=organization_id)
    if as_json:
        print_json(rows)
        return
    columns = ("team", "alias", "organization", "members", "models", "spend, USD", "budget, USD", "state")
    cells = [
        (
            row["team_id"],
            row["team_alias"],
            row["organization_id"],
            len(row["members_with_roles"]),
            row["models"] or "all",
            dollars(row["spend"]),
            budget(row),
            "blocked" if row["blocked"] else "works",
        )
        for row in rows
    ]
    print_table("teams", columns, cells, empty="no teams: make one with `routeiq teams create NAME`")


@teams.command()
@click.argument("team_id")
@options.of_gateway
def info(client: Client, as_json: bool, team_id: str) -> None:
    """One team with its members."""
    told = client.get("/team/info", team_id=team_id)
    if as_json:
        print_json(told)
        return
    row = told["team_info"]
    people = [f"{member['user_id']} ({member['role']})" for member in row["members_with_roles"]]
    shown = {**row, "spend": f"{dollars(row['spend'])} USD", "max_budget": budget(row), "members_with_roles": people}
    hidden = ("keys", "team_memberships", "members", "admins")
    print_fields({name: value for name, value in shown.items() if value is not False and name not in hidden})


@teams.command()
@click.argument("team_id")
@click.option("--alias", "team_alias", help="A name for people.")
@click.option("--block/--unblock", "blocked", default=None, help="Refuse its requests, or serve them again.")
@options.models
@options.limits
@options.metadata
@options.of_gateway
def update(client: Client, as_json: bool, team_id: str, models: tuple[str, ...], **fields: Any) -> None:
    """Change a team; what is not given stays."""
    body = {**fields, "models": list(models) or None}
    if not any(value is not None for value in body.values()):
        raise click.UsageError("say what to change")
    told = client.post("/team/update", {**body, "team_id": team_id})
    _done(told, as_json, f"changed {team_id}")


@teams.command()
@click.argument("team_id", nargs=-1, required=True)
@options.yes
@options.of_gateway
def delete(client: Client, as_json: bool, team_id: tuple[str, ...], yes: bool) -> None:
    """Delete teams with their keys."""
    confirmed(f"Delete {len(team_id)} teams with their keys?", yes=yes)
    told = client.post("/team/delete", {"team_ids": list(team_id)})
    _done(told, as_json, f"deleted {len(team_id)}")


@teams.group()
def members() -> None:
    """Who is in a team."""


@members.command()
@click.argument("team_id")
@click.argument("user")
@click.option("--role", type=click.Choice(["user", "admin"]), default="user", show_default=True, help="In the team.")
@click.option("--max-budget", "max_budget_in_team", type=float, help="US dollars the user may spend within the team.")
@options.of_gateway
def add(client: Client, as_json: bool, team_id: str, user: str, role: str, max_budget_in_team: float | None) -> None:
    """Add a user, by id or by e-mail address."""
    who = {"user_email" if "@" in user else "user_id": user, "role": role}
    body = {"team_id": team_id, "member": who, "max_budget_in_team": max_budget_in_team}
    _done(client.post("/team/member_add", body), as_json, f"added {user}")


@members.command()
@click.argument("team_id")
@click.argument("user")
@options.of_gateway
def remove(client: Client, as_json: bool, team_id: str, user: str) -> None:
    """Remove a user, with its keys of the team."""
    body = {"team_id": team_id, "user_email" if "@" in user else "user_id": user}
    _done(client.post("/team/member_delete", body), as_json, f"removed {user}")


def _done(told: Any, as_json: bool, line: str) -> None:
    if as_json:
        print_json(told)
    else:
        click.echo(line)
