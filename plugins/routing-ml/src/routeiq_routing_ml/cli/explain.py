"""`routeiq route explain`.

The decision is made by `serving.decide`, as the gateway makes it; prices are those of the training data.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from routeiq_routing_ml.cli import options
from routeiq_routing_ml.cli.failures import clear_failures
from routeiq_routing_ml.cli.showing import dollars, print_json, print_table, printable
from routeiq_routing_ml.config import PROFILES

if TYPE_CHECKING:
    from routeiq_routing_ml.cli.opening import Opened
    from routeiq_sdk import Decision

_CLUSTERS = 5


@click.command()
@options.artifact
@click.option("--query", required=True, help="The text of a prompt.")
@click.option("--profile", type=click.Choice(PROFILES), default="quality", show_default=True, help="What counts.")
@click.option("--lambda", "weight", type=click.FloatRange(0, 1e12), help="Quality a US dollar, instead of a profile.")
@options.data_dir
@options.trust
@options.allow
@options.as_json
@clear_failures()
def explain(
    folder: Path,
    query: str,
    profile: str,
    weight: float | None,
    data_dir: Path,
    trust: tuple[Path, ...],
    allow: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show how a router decides on one prompt: each candidate's expected quality, cost and doubt, and why.

    Neighbours and clusters are told by number: an artifact holds no prompts.
    """
    from routeiq_routing_ml.cli.opening import opened

    router = opened(folder, data_dir, trust, allow)
    decision, told = _decide(router, query, profile, weight)
    if as_json:
        print_json(told)
    else:
        _show(decision, told)


def _decide(router: Opened, query: str, profile: str, weight: float | None) -> tuple[Decision, dict[str, Any]]:
    from routeiq_routing_ml.model.router import tokens_of
    from routeiq_routing_ml.serving.catalog import Names
    from routeiq_routing_ml.serving.decide import Question, Setting, decide, policy_for
    from routeiq_routing_ml.serving.wishes import Wish
    from routeiq_routing_ml.training.embedding import embed
    from routeiq_routing_ml.training.trainer import silent
    from routeiq_sdk import ModelGroup

    main, manifest = router.packed.main, router.artifact.manifest
    asked = router.embedder()
    points = main.points([query], None if asked is None else embed(asked, [query], silent))
    setting = Setting(Names({}), None, None, None, lambda count, best: (best, 1.0))
    policy = policy_for(router.packed.policy, router.packed.weights, Wish(profile, weight, "client"), setting)
    made = decide(
        main,
        Question(points, float(tokens_of([query])[0])),
        [ModelGroup(model, ()) for model in main.models],
        policy,
        setting,
        strategy=manifest.strategy,
        version=str(manifest.version),
        explain=True,
    )
    if made is None:
        raise AssertionError("a router knows the models of its own pool")
    decision = made.decision
    clusters = main.costs.votes(points)[0]
    heaviest = [int(number) for number in (-clusters).argsort(kind="stable")[:_CLUSTERS] if clusters[number] > 0]
    told = {
        "chosen": decision.chosen.model,
        "reason": decision.reason,
        "profile": profile if weight is None else "own",
        **decision.attributes,
        "default": main.models[main.default],
        "candidates": [
            {
                "model": one.model,
                "quality": one.quality,
                "cost": None if one.cost is None else one.cost * 1e-9,
                "uncertainty": one.uncertainty,
                "utility": one.score,
                "reason": one.reason,
            }
            for one in decision.candidates
        ],
        "clusters": [{"cluster": number, "weight": round(float(clusters[number]), 4)} for number in heaviest],
    }
    return decision, told


def _show(decision: Decision, told: dict[str, Any]) -> None:
    click.echo(f"{printable(decision.chosen.model)}: {printable(decision.reason)}.")
    rows = [
        (
            one.model,
            f"{one.quality:.3f}",
            f"{one.uncertainty:.3f}",
            dollars((one.cost or 0) * 1e-9),
            f"{one.score:+.4f}",
        )
        for one in decision.candidates
    ]
    print_table(("model", "quality", "doubt", "$ a 1000", "utility"), rows)
    words = {"lambda": "weight of cost", "margin": "ahead of the second by", "abstained": "left to the default model"}
    words["new_kind"] = "prompt of a new kind"
    for key, text in words.items():
        value = told[key]
        shown = (
            {True: "yes", False: "no", None: "-"}.get(value)
            if value is None or value is True or value is False
            else f"{value:g}"
        )
        click.echo(f"{text}: {shown}")
    near = ", ".join(f"{row['row']} ({row['similarity']:.2f})" for row in told.get("neighbours", ()))
    if near:
        click.echo(f"nearest training prompts, by number: {near}")
    click.echo("clusters: " + ", ".join(f"{row['cluster']} ({row['weight']:.2f})" for row in told["clusters"]))
