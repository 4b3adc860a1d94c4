"""`routeiq route train`.

The work is done by `training.making`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from routeiq_routing_ml.cli import options
from routeiq_routing_ml.cli.failures import clear_failures
from routeiq_routing_ml.cli.showing import bars, dollars, percent, print_json, print_table, printable

if TYPE_CHECKING:
    from routeiq_routing_ml.training.making import Made
    from routeiq_routing_ml.training.reading import Reading

STRATEGIES = ("ensemble", "knn", "ridge", "logistic", "svm", "mlp", "mf", "kmeans", "elo", "custom")
BACKENDS = ("loky", "threading", "dask", "ray")


@click.command()
@options.data
@click.option("--strategy", type=click.Choice(STRATEGIES), default="ensemble", show_default=True, help="What learns.")
@click.option(
    "--embedder", default="hashing", show_default=True, help="hashing, or an installed embedder such as minilm."
)
@click.option("--out", type=options.FOLDER, required=True, help="Folder of the artifact; an older one is replaced.")
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Makes training repeatable."
)
@options.features
@click.option("--jobs", type=int, default=1, show_default=True, help="Workers; -1 for one a core.")
@click.option("--backend", type=click.Choice(BACKENDS), default="loky", show_default=True, help="What the workers are.")
@click.option("--scheduler", metavar="ADDR", help="Address of a Dask or Ray cluster; without it one is started here.")
@options.most
@click.option("--expires-days", type=click.IntRange(1, 36500), help="Days after which gateways refuse the artifact.")
@options.data_dir
@click.option("--margin", type=click.FloatRange(0, 1), help="How much better than the default a choice must be.")
@click.option("--estimator", type=options.FILE, help="With --strategy custom: a scikit-learn regressor as .skops.")
@options.allow
@options.as_json
@clear_failures()
def train(out: Path, data: Path, data_dir: Path, most: int, as_json: bool, allow: tuple[str, ...], **plan: Any) -> None:
    """Train a router on recorded outcomes, and sign it.

    Ends with 3, and writes nothing, when a router would not beat always calling the best single model on queries that
    it had not seen, or when there are fewer than 400 queries.
    """
    from routeiq_routing_ml.training.making import Plan, make
    from routeiq_routing_ml.training.reading import read

    with bars() as progress:
        reading = read(data, most=most, seed=plan["seed"], progress=progress)
        made = make(reading, Plan(**plan, allowed=allow), out, data_dir, progress)
    if as_json:
        print_json(_as_json(made, reading))
    else:
        _show(made, reading, allow)


def _as_json(made: Made, reading: Reading) -> dict[str, Any]:
    manifest = made.manifest
    return {
        "artifact": str(made.folder),
        "digest": manifest.digest(),
        "key": made.key,
        "strategy": manifest.strategy,
        "embedder": manifest.features["embedder"] or "hashing",
        "pool": list(manifest.pool),
        "default": manifest.settings["default"],
        "weights": manifest.settings["weights"],
        "metrics": dict(manifest.metrics),
        "rows": {"read": reading.rows, "kept": len(reading.table), "skipped": reading.skipped},
        "report": str(made.folder / "report.html"),
    }


def _show(made: Made, reading: Reading, allow: tuple[str, ...]) -> None:
    outcome, table = made.trained.outcome, made.trained.table
    best = made.trained.router.default
    name = printable(made.trained.router.models[best])
    click.echo(f"{printable(reading.summary())}. The best single model is {name}.")
    rows = [
        ("quality", f"{outcome.quality:.4f}", f"{outcome.best_single:.4f}"),
        ("dollars a 1000 queries", dollars(outcome.cost), dollars(float(table.cost[:, best].mean()))),
        ("gap to the oracle closed", percent(outcome.gap), "0.0%"),
        ("cost saved at equal quality", percent(outcome.save), "0.0%"),
        ("d_aiq, over the Zero router", f"{outcome.d_aiq:+.4f}", ""),
        ("calibration error", f"{made.trained.calibration_error:.3f}", ""),
    ]
    if made.plain is not None:
        rows.append(("gap closed without the embedder", percent(made.plain.outcome.gap), ""))
    title = f"{made.manifest.strategy} on {len(table)} queries, each judged by a fit that had not seen it"
    print_table(("", "router", "best single"), rows, title)
    click.echo(f"Wrote {made.folder}, signed with the key {made.key}. Look at {made.folder / 'report.html'}.")
    click.echo(f"Next:  routeiq route export --artifact {made.folder} --out router.yaml   # the lines for your YAML")
    if allow:
        click.echo(f"Gateways need  allowed_estimators: [{', '.join(allow)}]  in the plugin's configuration.")
