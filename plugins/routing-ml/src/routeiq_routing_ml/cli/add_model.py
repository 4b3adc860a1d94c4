"""`routeiq route add-model`.

How a router takes a new model is in `training.adding`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from routeiq_routing_ml.cli import options
from routeiq_routing_ml.cli.failures import clear_failures
from routeiq_routing_ml.cli.showing import bars, print_json


@click.command("add-model")
@options.artifact
@click.option("--model", required=True, help="The new model's name, as the data calls it.")
@options.data
@options.features
@click.option("--out", type=options.FOLDER, required=True, help="Folder of the new artifact; the old one's will do.")
@options.data_dir
@options.trust
@options.as_json
@clear_failures()
def add_model(
    folder: Path,
    model: str,
    data: Path,
    features: Path | None,
    out: Path,
    data_dir: Path,
    trust: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Add a model to a kmeans router, from 50 or more prompts that it answered, without training.

    The data needs a score and a cost of the new model; other models in it are left alone. The figures of the old
    training stay in the manifest. Measure the new router with `evaluate`.
    """
    from routeiq_routing_ml.artifact import keys, writer
    from routeiq_routing_ml.cli.opening import opened
    from routeiq_routing_ml.model.packing import pack
    from routeiq_routing_ml.training.adding import read_labelled, with_model
    from routeiq_routing_ml.training.making import trainer_name

    router = opened(folder, data_dir, trust)
    old = router.artifact.manifest
    with bars() as progress:
        labelled = read_labelled(data, model, progress)
        vectors = router.vectors(labelled.texts, features, labelled.chosen, labelled.rows, progress)
    main = with_model(router.packed.main, model, labelled, vectors)
    plain = main if router.packed.embedder is None else with_model(router.packed.plain, model, labelled)
    manifest, arrays = pack(
        replace(router.packed, main=main, plain=plain),
        strategy=old.strategy,
        trainer=trainer_name(),
        metrics={**old.metrics, "added": {**_added(old.metrics), model: len(labelled.texts)}},
        expires=old.expires_at(),
    )
    key = keys.signing_key(data_dir / "keys")
    signed = writer.write(out, manifest, arrays, key)
    if as_json:
        told = {"artifact": str(out), "digest": signed.digest(), "key": key.id, "pool": list(signed.pool)}
        print_json({**told, "prompts": len(labelled.texts), "quality": float(labelled.quality.mean())})
        return
    click.echo(f"Added {model!r} from {len(labelled.texts)} prompts (mean score {labelled.quality.mean():.3f}).")
    click.echo(f"Wrote {out}, signed with the key {key.id}. Its pool: {', '.join(signed.pool)}.")


def _added(metrics: object) -> dict[str, int]:
    found = metrics.get("added") if isinstance(metrics, dict) else None
    return {str(name): int(count) for name, count in found.items()} if isinstance(found, dict) else {}
