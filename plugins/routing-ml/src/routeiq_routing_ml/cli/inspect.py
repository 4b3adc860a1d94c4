"""`routeiq route inspect`.

What is trusted is decided by `artifact.loader`; nothing of the arrays is decoded for an artifact that is not.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from routeiq_routing_ml.cli import options
from routeiq_routing_ml.cli.failures import EX_CONFIG, clear_failures
from routeiq_routing_ml.cli.showing import print_json, printable

if TYPE_CHECKING:
    from routeiq_routing_ml.artifact.manifest import Manifest


@click.command("inspect")
@click.argument("folder", type=click.Path(path_type=Path))
@options.data_dir
@options.trust
@options.as_json
@clear_failures()
def inspect(folder: Path, data_dir: Path, trust: tuple[Path, ...], as_json: bool) -> None:
    """Show what an artifact says of itself, and whether it may be used: signature, digests, expiry.

    Ends with 78 when it may not; what is shown then is the word of an unknown.
    """
    from routeiq_routing_ml.artifact import files
    from routeiq_routing_ml.artifact.errors import ArtifactError
    from routeiq_routing_ml.artifact.manifest import MANIFEST, MOST_BYTES, Manifest
    from routeiq_routing_ml.cli.opening import verified

    key, reason = None, None
    try:
        artifact = verified(folder, data_dir, trust)
        manifest, key = artifact.manifest, artifact.key
    except ArtifactError as error:
        reason = str(error)
        try:
            data, _ = files.read(folder / MANIFEST, MOST_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            raise error from None
        manifest = Manifest.parse(data, folder / MANIFEST)
    if as_json:
        told: dict[str, Any] = json.loads(manifest.to_bytes())
        size = sum(entry.size for entry in manifest.files.values())
        print_json(
            {
                "verified": reason is None,
                "reason": reason,
                "key": key,
                "digest": manifest.digest(),
                "size": size,
                "manifest": told,
            }
        )
    else:
        _show(manifest, key, reason)
    if reason is not None:
        raise click.exceptions.Exit(EX_CONFIG)


def _show(manifest: Manifest, key: str | None, reason: str | None) -> None:
    click.echo(
        f"verified: signed with the trusted key {key}" if reason is None else f"NOT verified: {printable(reason)}"
    )
    metrics = {name: value for name, value in manifest.metrics.items() if isinstance(value, int | float)}
    rows = [
        ("strategy", manifest.strategy),
        ("version", str(manifest.version)),
        ("created", manifest.created),
        ("expires", manifest.expires or "never"),
        ("trainer", manifest.trainer),
        ("embedder", str(manifest.features.get("embedder") or "hashing")),
        ("pool", ", ".join(manifest.pool)),
        ("default", str(manifest.settings.get("default"))),
        *((name, f"{value:g}") for name, value in metrics.items()),
        *((name, f"{entry.size} bytes, sha256 {entry.sha256[:16]}...") for name, entry in manifest.files.items()),
        ("digest", manifest.digest()),
    ]
    for name, text in rows:
        click.echo(f"{name:<20} {printable(text)}")
