"""The suite's sweeps with every case: there they try a share, since all of it takes the better part of an hour.
What each of them promises is written in the test itself; here it is run with `--whole`, and must pass."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from bench.registry import Bench
from bench.report import Grid, Report
from bench.targets import at_most

ROOT = Path(__file__).resolve().parents[3]
SWEEPS = {
    "bearers": "tests/security/test_v01_bearers_never_reach_sql.py",
    "privileged-fields": "tests/security/test_v06_privileged_fields.py",
    "failures": "tests/security/test_v09_auth_never_fails_open.py",
    "foreign-ids": "tests/security/test_v13_foreign_ids_are_404.py",
    "model-files": "tests/security/test_artifacts_run_nothing.py",
    "escalation": "plugins/governance/tests/access/test_escalation.py",
    "credentials": "plugins/governance/tests/identity/test_hostile_credentials.py",
    "kills": "plugins/audit/tests/test_killed.py",
}
BROKEN = at_most("sweeps that did not hold", "", must=0.0)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help=" ".join(SWEEPS))


def run(args: argparse.Namespace, console: Console) -> Report:
    rows, failed = [], {}
    for name in args.only or SWEEPS:
        passed, seconds, told = _swept(SWEEPS[name])
        console.print(f"{name}: {'holds' if passed else 'DOES NOT HOLD'}, {seconds:.0f} s")
        if not passed:
            console.print(told, markup=False)
            failed[name] = SWEEPS[name]
        rows.append((name, "yes" if passed else "NO", f"{seconds:.0f}"))
    return Report(
        "sweeps",
        [Grid("the suite's sweeps, whole", ("sweep", "holds", "s"), rows)],
        [BROKEN.judge(lambda: float(len(failed)))],
        {name: {"holds": holds == "yes", "seconds": float(seconds)} for name, holds, seconds in rows},
        failed,
    )


def _swept(path: str) -> tuple[bool, float, str]:
    """Whether its tests pass, in how long, and the end of what they said."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", "--whole", "-q", "-n", "0", "-p", "no:cacheprovider"]
        command += [f"--basetemp={folder}/t", path]
        environment = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.returncode == 0, time.perf_counter() - started, "\n".join(done.stdout.splitlines()[-40:])


BENCH = Bench("sweeps", "the suite's sweeps with every case, where the suite tries a share", add_options, run)
