"""What a bench is, and how it is found: each module in `bench.benches` that defines `BENCH` is one.
No bench is named here; a new one is a new file."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from rich.console import Console

from bench import benches
from bench.report import Report


@dataclass(frozen=True)
class Bench:
    """One question and the run that answers it; `run` shows progress on the console and returns a report."""

    name: str
    summary: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Console], Report]


@cache
def discover() -> dict[str, Bench]:
    found = {}
    for module in sorted(pkgutil.iter_modules(benches.__path__), key=lambda module: module.name):
        bench = importlib.import_module(f"{benches.__name__}.{module.name}").BENCH
        found[bench.name] = bench
    return found
