"""`routeiq check`.

The checks are those of a start: nothing is served and no provider is called.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import click


@click.command()
@click.option("--config", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@click.option("--locked", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Plugin lock to hold to.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def check(path: Path, strict: bool, locked: Path | None, as_json: bool) -> None:
    """Look whether a configuration can be served: keys, references, plugins, addresses, prices."""
    from routeiq.config import load
    from routeiq.config.errors import ConfigErrors
    from routeiq.preflight import preflight
    from routeiq_sdk import ConfigError, PluginError

    problems: list[str] = []
    findings: dict[str, object] = {}
    try:
        config = load(path, strict=True if strict else None)
        findings = asyncio.run(preflight(config, lock=locked))
    except ConfigErrors as errors:
        problems = [str(problem) for problem in errors.problems]
    except (ConfigError, PluginError) as error:
        problems = [str(error)]
    if as_json:
        click.echo(json.dumps({"ok": not problems, "problems": problems, **findings}))
    elif problems:
        for line in problems:
            click.echo(line, err=True)
    else:
        _show(path, findings)
    sys.exit(1 if problems else 0)


def _show(path: Path, findings: dict[str, object]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("model", "provider", "called at", "price in / out, USD per million tokens", title=str(path))
    rows = findings["deployments"]
    assert isinstance(rows, list)
    for row in rows:
        table.add_row(row["model"], row["provider"], row["called_at"], row["price"] or "[yellow]unpriced[/]")
    console.print(table)
    for key in ("plugins", "notices"):
        lines = findings[key]
        assert isinstance(lines, list)
        for line in lines:
            console.print(f"{key[:-1]}: {line}", markup=False)
    console.print("[green]ok[/]")
