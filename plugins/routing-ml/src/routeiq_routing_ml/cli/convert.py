"""`routeiq route convert`.

The pickle is read by a limited child process; see `artifact.convert`.
"""

from __future__ import annotations

from pathlib import Path

import click

from routeiq_routing_ml.cli import options
from routeiq_routing_ml.cli.failures import clear_failures
from routeiq_routing_ml.cli.showing import print_json


@click.command()
@click.argument("pickle", type=options.FILE)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The .skops file to write.")
@options.allow
@options.as_json
@clear_failures()
def convert(pickle: Path, out: Path, allow: tuple[str, ...], as_json: bool) -> None:
    """Turn a pickled scikit-learn estimator into a .skops file, for `train --strategy custom`.

    The pickle is read once, by a child process without network, files or rights, and nothing in it runs but the classes
    of usual estimators and those of --allow.
    """
    from routeiq_routing_ml.artifact.convert import ESTIMATORS
    from routeiq_routing_ml.artifact.convert import convert as turn

    needed = turn(pickle, out, ESTIMATORS | set(allow))
    if as_json:
        print_json({"out": str(out), "allow": list(needed)})
        return
    click.echo(f"Wrote {out}.")
    flags = "".join(f" --allow {name}" for name in needed)
    click.echo(f"Next:  routeiq route train --strategy custom --estimator {out}{flags} --data FILE --out DIR")
