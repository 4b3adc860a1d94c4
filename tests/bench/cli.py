"""The command line: one subcommand a bench, the options all of them share, the exit code.
Nothing about what a bench measures lives here."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from rich.console import Console

from bench import registry, report
from bench.provision import BenchSetupError

WIDTH_WITHOUT_TERMINAL = 150


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description="Gateways side by side on one core of this machine.")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", type=Path, metavar="FILE", help="also write everything measured to FILE")
    shared.add_argument(
        "--cache",
        type=Path,
        default=Path.home() / ".cache" / "routeiq-bench",
        help="where contenders and compiled tools are kept between runs (default: %(default)s)",
    )
    shared.add_argument("--gate", action="store_true", help="exit 1 unless every target that applies is met")
    names = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for bench in registry.discover().values():
        bench.add_options(names.add_parser(bench.name, help=bench.summary, parents=[shared]))
    return parser


def main(argv: list[str]) -> int:
    args = build_parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _unwind)
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH_WITHOUT_TERMINAL)
    args.cache = args.cache.expanduser().resolve()
    try:
        outcome = registry.discover()[args.name].run(args, console)
    except BenchSetupError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    report.show(outcome, console)
    if args.json:
        report.write_json(outcome, args.json)
        console.print(f"written: {args.json}")
    return 1 if args.gate and not outcome.passes_gate() else 0


def _unwind(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM leaves through the context managers, so that every process the bench started is stopped."""
    raise SystemExit(143)
