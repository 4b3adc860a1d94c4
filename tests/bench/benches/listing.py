"""What there is: the benches and the contenders, by name.
Measures nothing."""

from __future__ import annotations

import argparse

from rich.console import Console

from bench import registry
from bench.contenders import CONTENDERS
from bench.report import Grid, Report


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options all benches share are enough."""


def run(args: argparse.Namespace, console: Console) -> Report:
    benches = [(bench.name, bench.summary) for bench in registry.discover().values()]
    contenders = [(contender.name, contender.summary) for contender in CONTENDERS]
    grids = [
        Grid("Benches", ("name", "what it measures"), benches, numeric=False),
        Grid("Contenders", ("name", "what it is"), contenders, numeric=False),
    ]
    return Report("list", grids, data={"benches": dict(benches), "contenders": dict(contenders)})


BENCH = registry.Bench("list", "the benches and the contenders there are", add_options, run)
