"""`routeiq route evaluate`.

The figures are those of `training.metrics`.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from routeiq_routing_ml.cli import options
from routeiq_routing_ml.cli.failures import clear_failures
from routeiq_routing_ml.cli.showing import bars, dollars, percent, print_json, print_table, printable


@click.command()
@options.artifact
@options.data
@options.features
@options.most
@options.data_dir
@options.trust
@options.allow
@options.as_json
@clear_failures()
def evaluate(
    folder: Path,
    data: Path,
    features: Path | None,
    most: int,
    data_dir: Path,
    trust: tuple[Path, ...],
    allow: tuple[str, ...],
    as_json: bool,
) -> None:
    """Measure a router on outcomes that it was not trained on.

    At lambda 0, against always calling the model that was the best single one of the training data.
    """
    from routeiq_routing_ml.cli.opening import opened
    from routeiq_routing_ml.training.evaluate import evaluate as measure
    from routeiq_routing_ml.training.reading import read

    router = opened(folder, data_dir, trust, allow)
    main = router.packed.main
    with bars() as progress:
        reading = read(data, most=most, progress=progress)
        vectors = router.vectors(reading.table.texts, features, reading.chosen, reading.rows, progress)
        found = measure(main, reading.table, router.packed.policy, vectors)
    outcome = found.outcome
    if as_json:
        print_json({name: float(value) for name, value in asdict(outcome).items()})
        return
    best = main.models[main.default]
    click.echo(f"{reading.summary()}. The best single model of the training data is {printable(best)}.")
    rows = [
        ("quality", f"{outcome.quality:.4f}", f"{outcome.best_single:.4f}", f"{outcome.oracle:.4f}"),
        ("dollars a 1000 queries", dollars(outcome.cost), "", ""),
        ("gap to the oracle closed", percent(outcome.gap), "0.0%", "100.0%"),
        ("cost saved at equal quality", percent(outcome.save), "0.0%", ""),
        ("d_aiq, over the Zero router", f"{outcome.d_aiq:+.4f}", "", ""),
    ]
    print_table(("", "router", "best single", "oracle"), rows)
    if found.by_task:
        tasks = [
            (task, str(queries), f"{got:.3f}", f"{single:.3f}", f"{got - single:+.3f}")
            for task, (queries, got, single) in found.by_task.items()
        ]
        print_table(("task", "queries", "router", "best single", "difference"), tasks)
