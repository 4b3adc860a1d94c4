"""`routeiq init`.

What the file says is made in `routeiq.config.starter`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import click


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("routeiq.yaml"), help="Where to write the YAML.")
@click.option("--env-out", type=click.Path(path_type=Path), default=Path(".env"), help="Where to write the new key.")
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
@click.option("--json", "as_json", is_flag=True, help="Say what was written as JSON.")
def init(out: Path, env_out: Path, force: bool, as_json: bool) -> None:
    """Write a commented routeiq.yaml, noticing provider keys in the environment, and a fresh master key beside it."""
    from routeiq.config.starter import starter_yaml

    for path in (out, env_out):
        if path.exists() and not force:
            raise click.ClickException(
                f"{path} is there already. Mend: choose another with --out / --env-out, or --force."
            )
    starter = starter_yaml(os.environ)
    out.write_text(starter.yaml, encoding="utf-8")
    descriptor = os.open(env_out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(starter.env_file)
    if as_json:
        click.echo(json.dumps({"config": str(out), "env_file": str(env_out)}))
        return
    click.echo(f"Wrote {out} and, with a fresh master key that only you can read, {env_out}.")
    click.echo(f"Next:  set -a; . {env_out.absolute()}; set +a; routeiq serve --config {out}")
