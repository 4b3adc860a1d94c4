"""`routeiq schema`.

The schema itself is made in `routeiq.config.schema`.
"""

from __future__ import annotations

import json

import click


@click.command()
@click.option("--plugins/--no-plugins", default=True, help="Import the installed plugins for their own schemas.")
@click.option("--json", "as_json", is_flag=True, help="For symmetry: the schema is JSON anyway.")
def schema(plugins: bool, as_json: bool) -> None:
    """Print one JSON schema for the whole YAML, as editors use it."""
    from routeiq.config.schema import json_schema
    from routeiq.plugins.discover import scan
    from routeiq.plugins.load import config_schema

    found = {one.name: config_schema(one) for one in scan()} if plugins else {}
    known = {name: value for name, value in found.items() if value is not None}
    click.echo(json.dumps(json_schema(known), indent=2))
