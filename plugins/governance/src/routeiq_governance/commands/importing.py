"""`routeiq import litellm`: everything from the database of a LiteLLM proxy, once.

The import itself is `routeiq_governance.importer`, which is loaded only here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from routeiq_governance.commands.showing import print_json, print_table

_SALT = ("LITELLM_SALT_KEY", "LITELLM_MASTER_KEY")
_MOST_SHOWN = 20


@click.group("import")
def import_() -> None:
    """Bring over what another gateway has."""


@import_.command()
@click.option("--config", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option(
    "--from",
    "url",
    envvar="LITELLM_DATABASE_URL",
    required=True,
    metavar="URL",
    help="Address of LiteLLM's PostgreSQL; better in LITELLM_DATABASE_URL, where no list of processes shows it.",
)
@click.option(
    "--salt-key",
    "variable",
    metavar="VARIABLE",
    help="The variable with LiteLLM's salt key; else LITELLM_SALT_KEY, or LITELLM_MASTER_KEY as LiteLLM does.",
)
@click.option("--dry-run", is_flag=True, help="Tell what would come over, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_context
def litellm(context: click.Context, path: Path, url: str, variable: str | None, dry_run: bool, as_json: bool) -> None:
    """Bring over keys, teams, users, organizations, budgets, end users, tags, access groups, models and credentials.

    Reads the database of LiteLLM without changing it, and writes into the governance database of --config. Keys go on
    working as they are. What is there already stays as it is, so that the command may be repeated.
    """
    from routeiq_governance.importer.source import opened
    from routeiq_governance.importer.transfer import transfer
    from routeiq_sdk import RouteIQError

    if variable is not None and variable not in os.environ:
        raise click.UsageError(f"--salt-key names the variable {variable}, which is not set")
    names = (variable,) if variable is not None else _SALT
    salt_key = next((os.environ[name] for name in names if os.environ.get(name)), None)
    document = _document(context, path)
    try:
        report = asyncio.run(transfer(opened(url), document, salt_key=salt_key, environment=os.environ, dry=dry_run))
    except RouteIQError as error:
        raise click.ClickException(" ".join(str(error).split())) from None
    if as_json:
        print_json({"dry_run": dry_run, **report.as_json()})
        return
    imported = "would be imported" if dry_run else "imported"
    rows = [
        (line.kind.replace("_", " "), line.found, line.imported, line.present, line.left_out)
        for line in report.lines.values()
    ]
    print_table("from LiteLLM", ("kind", "found", imported, "already there", "left out"), rows, empty="nothing there")
    if report.reasons:
        shown = [(each.kind, each.name, each.text) for each in report.reasons[:_MOST_SHOWN]]
        print_table("left out", ("kind", "which", "why"), shown, empty="")
        if len(report.reasons) > _MOST_SHOWN:
            click.echo(f"and {len(report.reasons) - _MOST_SHOWN} more: --json shows all")
    for each in report.notes:
        click.echo(f"note: {each.name}: {each.text}")


def _document(context: click.Context, path: Path) -> Mapping[str, Any]:
    """The configuration. The gateway's command line, which reads it, hands its reader to the commands of plugins."""
    if not callable(context.obj):
        raise click.ClickException("this routeiq does not hand configurations to plugins' commands: upgrade it")
    document: Mapping[str, Any] = context.obj(path)
    return document
