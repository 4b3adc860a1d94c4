"""Options that several commands share.

What they mean is the business of the commands.
"""

from __future__ import annotations

from pathlib import Path

import click

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(path_type=Path, file_okay=False)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
artifact = click.option("--artifact", "folder", type=click.Path(path_type=Path), required=True, help="The artifact.")
data = click.option(
    "--data", type=FILE, required=True, help="Recorded outcomes: .jsonl, .csv (each also .gz) or .parquet."
)
data_dir = click.option(
    "--data-dir", type=FOLDER, default=".routeiq", show_default=True, help="The gateway's folder; keys lie in it."
)
trust = click.option("--trust", type=FILE, multiple=True, help="A public key (.pub) to trust beside those; repeatable.")
features = click.option("--features", type=FILE, help="The embedder's vectors of all rows of the data, as .npy.")
allow = click.option(
    "--allow", multiple=True, metavar="TYPE", help="A type that the estimator may hold, by full name; repeatable."
)
most = click.option(
    "--most", type=click.IntRange(1), default=100_000, show_default=True, help="Most rows; of more, a random sample."
)
