"""`routeiq route value`.

The estimates are those of `training.offpolicy`.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from routeiq_routing_ml.cli import options
from routeiq_routing_ml.cli.failures import RefusedRouter, clear_failures
from routeiq_routing_ml.cli.showing import bars, percent, print_json, print_table


@click.command()
@options.artifact
@click.option("--log", type=options.FILE, required=True, help="Rows of query, chosen, propensity and score.")
@options.data_dir
@options.trust
@options.allow
@options.as_json
@clear_failures()
def value(
    folder: Path, log: Path, data_dir: Path, trust: tuple[Path, ...], allow: tuple[str, ...], as_json: bool
) -> None:
    """Estimate what a router would have earned, from decisions of another that were logged with their propensity.

    Two estimates with 95 % intervals, SNIPS and doubly robust, at lambda 0. Ends with 3 when the log says too little
    about the router: fewer than 100 effective decisions. The log of a gateway that never explored says nothing.
    """
    import numpy as np

    from routeiq_routing_ml.cli.opening import opened
    from routeiq_routing_ml.model.router import tokens_of
    from routeiq_routing_ml.training.embedding import embed
    from routeiq_routing_ml.training.logged import read_logged
    from routeiq_routing_ml.training.offpolicy import TooFewEffective, doubly_robust, snips

    router = opened(folder, data_dir, trust, allow)
    main = router.packed.main
    with bars() as progress:
        logged = read_logged(log, main.models, progress)
        asked = router.embedder()
        vectors = None if asked is None else embed(asked, logged.texts, progress)
        expected = main.predict(main.points(logged.texts, vectors), tokens_of(logged.texts))
    choice = np.asarray(router.packed.policy.choose(expected, main.default))
    try:
        found = {
            "snips": snips(logged.log, choice),
            "doubly_robust": doubly_robust(logged.log, choice, expected.quality),
        }
    except TooFewEffective as few:
        raise RefusedRouter(str(few)) from few
    earned = float(logged.log.reward.mean())
    if as_json:
        print_json({"logged": earned, **{name: asdict(estimate) for name, estimate in found.items()}})
        return
    rows = [("logged policy", f"{earned:.4f}", "", "", "")]
    for name, title in (("snips", "SNIPS"), ("doubly_robust", "doubly robust")):
        one = found[name]
        interval = f"{one.low:.4f} to {one.high:.4f}"
        rows.append((title, f"{one.value:.4f}", interval, f"{one.effective:.0f}", percent(one.agreeing)))
    print_table(("", "score", "95 % interval", "effective", "agreeing"), rows)
