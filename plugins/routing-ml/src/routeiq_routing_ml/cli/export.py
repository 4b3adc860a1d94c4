"""`routeiq route export`.

The figures were measured at training and are in the manifest.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from routeiq_routing_ml.cli import options
from routeiq_routing_ml.cli.failures import clear_failures
from routeiq_routing_ml.cli.showing import print_json

if TYPE_CHECKING:
    from routeiq_routing_ml.artifact.manifest import Manifest


@click.command()
@options.artifact
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A .yaml (lines for the configuration), .json (all of it) or .csv (the curve). Without it, YAML is printed.",
)
@click.option("--name", default="auto", show_default=True, help="The virtual model that clients will ask for.")
@options.data_dir
@options.trust
@options.as_json
@clear_failures()
def export(folder: Path, out: Path | None, name: str, data_dir: Path, trust: tuple[Path, ...], as_json: bool) -> None:
    """Write the lines that a gateway's YAML needs, and the curve of quality and cost with its profiles."""
    from routeiq_routing_ml.cli.opening import verified

    manifest = verified(folder, data_dir, trust).manifest
    told = _told(folder, name, manifest)
    if out is not None:
        kinds: dict[str, Callable[[], str]] = {
            ".yaml": lambda: told["yaml"],
            ".yml": lambda: told["yaml"],
            ".csv": lambda: _csv(told),
        }
        kinds[".json"] = lambda: json.dumps(told, indent=2) + "\n"
        if out.suffix not in kinds:
            raise click.BadParameter(f"{out}: use .yaml, .json or .csv.", param_hint="--out")
        out.write_text(kinds[out.suffix](), encoding="utf-8")
    if as_json:
        print_json(told)
    elif out is None:
        click.echo(told["yaml"], nl=False)
    else:
        click.echo(f"Wrote {out}.")


def _told(folder: Path, name: str, manifest: Manifest) -> dict[str, Any]:
    return {
        "yaml": _yaml(folder, name, manifest),
        "strategy": manifest.strategy,
        "pool": list(manifest.pool),
        "default": manifest.settings["default"],
        "weights": manifest.settings["weights"],
        "profiles": manifest.metrics.get("profiles", {}),
        "curve": manifest.metrics.get("curve", []),
    }


def _yaml(folder: Path, name: str, manifest: Manifest) -> str:
    models = [_scalar(model) for model in manifest.pool]
    lines = [
        "routeiq:",
        "  virtual_models:",
        f"    {_scalar(name)}:",
        f"      models: [{', '.join(models)}]",
        f"      default_model: {_scalar(str(manifest.settings['default']))}",
        "  plugins:",
        "    routing-ml:",
        f"      artifact: {_scalar(str(folder.resolve()))}",
        "      profile: balanced",
        "      models:  # name in training: model group of this gateway; correct the right side here and above",
        *(f"        {model}: {model}" for model in models),
    ]
    if manifest.strategy == "custom":
        lines.append("      allowed_estimators: []  # the types that were allowed at training")
    return "\n".join(lines) + "\n"


def _scalar(text: str) -> str:
    """A text as YAML in double quotes, in which each JSON string is valid; `/` and the rest stay readable."""
    return json.dumps(text, ensure_ascii=False)


def _csv(told: dict[str, Any]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("profile", "dollars_a_query", "quality"))
    writer.writerows(("", *point) for point in told["curve"])
    writer.writerows((profile, point["cost"], point["quality"]) for profile, point in told["profiles"].items())
    return buffer.getvalue()
