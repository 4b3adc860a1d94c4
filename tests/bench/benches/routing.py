"""Routers on recorded outcomes: our strategies beside re-created rivals, on the same splits and the same features.
The recipes, the protocol and the bars live in `bench.routers`; here they are run one after the other."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from bench.registry import Bench
from bench.report import Report

TABLES = ("llmrouter9", "routerbench11", "routellm2")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="the folder with the recorded tables")
    parser.add_argument("--seeds", type=int, default=5, help="splits, from seed 1000 on (default: %(default)s)")
    parser.add_argument("--table", nargs="+", choices=TABLES, default=list(TABLES), help="only these tables")
    parser.add_argument("--quick", action="store_true", help="one split and three left-out tasks: a look, no verdict")


def run(args: argparse.Namespace, console: Console) -> Report:
    # numpy and scikit-learn load only when this bench is run.
    from bench.routers.session import measure_all

    if args.quick:
        args.seeds = 1
    args.gate = not args.quick  # here a missed bar always fails the run
    return measure_all(args.data, args.table, max(1, args.seeds), args.quick, args.cache, console)


BENCH = Bench("routing", "learned routers on recorded outcomes: ours beside re-created rivals", add_options, run)
