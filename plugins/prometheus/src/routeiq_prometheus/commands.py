"""`routeiq metrics`: prints the dashboard and the alert rules that come with the plugin.

They are files beside this one; importing them into Grafana and Prometheus is the operator's step.
"""

from __future__ import annotations

from importlib.resources import files

import click


@click.group()
def metrics() -> None:
    """What to give to Grafana and Prometheus."""


@metrics.command()
def dashboard() -> None:
    """The Grafana dashboard as JSON: `routeiq metrics dashboard > routeiq.json`."""
    click.echo(shipped("dashboards", "routeiq.json"), nl=False)


@metrics.command()
def rules() -> None:
    """The alert rules as YAML: `routeiq metrics rules > routeiq.yml`."""
    click.echo(shipped("rules", "routeiq.yml"), nl=False)


def shipped(folder: str, name: str) -> str:
    """The text of a file that comes with the plugin."""
    return (files("routeiq_prometheus") / folder / name).read_text(encoding="utf-8")
