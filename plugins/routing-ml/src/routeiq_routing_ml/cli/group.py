"""The group `routeiq route`.

Its commands are in the files beside this one.
"""

from __future__ import annotations

import click

from routeiq_routing_ml.cli.add_model import add_model
from routeiq_routing_ml.cli.convert import convert
from routeiq_routing_ml.cli.evaluate import evaluate
from routeiq_routing_ml.cli.explain import explain
from routeiq_routing_ml.cli.export import export
from routeiq_routing_ml.cli.inspect import inspect
from routeiq_routing_ml.cli.train import train
from routeiq_routing_ml.cli.value import value


@click.group()
def route() -> None:
    """Train, measure, explain and publish routers that choose the model."""


for _command in (train, evaluate, explain, export, inspect, add_model, value, convert):
    route.add_command(_command)
