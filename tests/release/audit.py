"""Asks for known holes in what a hash lock lists. Run by `nox -s audit-deps`.

There are three answers and three exit codes: nothing known (0), something known (1), and not checked (3). What could
not be asked is never taken for good.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CLEAN, FOUND, NOT_CHECKED = 0, 1, 3
_TOOL = (sys.executable, "-m", "pip_audit")
_SECONDS = 600


def verdict(told: Any, asked: int) -> tuple[int, list[str]]:
    """The exit code and what to print, of pip-audit's JSON about `asked` distributions."""
    rows = told.get("dependencies") if isinstance(told, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return NOT_CHECKED, ["NOT CHECKED: pip-audit answered in a form that is not known"]
    holes = [
        f"{row['name']} {row['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'no release'}"
        for row in rows
        for hole in row.get("vulns", ())
    ]
    skipped = [f"NOT CHECKED: {row['name']}: {row['skip_reason']}" for row in rows if "skip_reason" in row]
    if len(rows) < asked:
        skipped.append(f"NOT CHECKED: {asked - len(rows)} of {asked} distributions, without a word about them")
    if holes:
        return FOUND, [*holes, *skipped]
    if skipped:
        return NOT_CHECKED, skipped
    return CLEAN, [f"{len(rows)} distributions, no known hole"]


def batches(lock: str) -> list[list[str]]:
    """The pins of a lock without our own, which no database knows. A name that has several, for several platforms, is
    in as many batches: the tool takes each name once."""
    found: list[list[str]] = []
    seen: Counter[str] = Counter()
    for line in lock.splitlines():
        if line[:1].isalnum() and not line.startswith("routeiq"):
            pin = line.split(" ")[0].removesuffix("\\")
            name = pin.partition("==")[0]
            if seen[name] == len(found):
                found.append([])
            found[seen[name]].append(pin)
            seen[name] += 1
    return found


def audit(lock: Path, tool: Sequence[str] = _TOOL) -> tuple[int, list[str]]:
    """Ask about each distribution that a lock lists."""
    asked = batches(lock.read_text(encoding="utf-8"))
    if not asked:
        return NOT_CHECKED, [f"NOT CHECKED: {lock} lists nothing"]
    rows: list[Any] = []
    for batch in asked:
        told = _ask(batch, tool)
        if isinstance(told, str):
            return NOT_CHECKED, [f"NOT CHECKED: {told}"]
        rows += told
    return verdict({"dependencies": rows}, sum(map(len, asked)))


def _ask(pins: Sequence[str], tool: Sequence[str]) -> list[Any] | str:
    """pip-audit's rows; or why there are none, in words."""
    command = [*tool, "--format", "json", "--progress-spinner", "off", "--no-deps", "--disable-pip", "-r"]
    try:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
            listed.write("\n".join(pins))
            listed.flush()
            done = subprocess.run(
                [*command, listed.name], capture_output=True, text=True, check=False, timeout=_SECONDS
            )
        told = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"pip-audit did not run: {error}"
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return f"the data of known holes could not be had: {last[:300]}"
    rows = told.get("dependencies") if isinstance(told, dict) else None
    return rows if isinstance(rows, list) else "pip-audit answered in a form that is not known"


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Known holes in what a hash lock lists.")
    parser.add_argument("lock", type=Path)
    code, lines = audit(parser.parse_args().lock)
    print("\n".join(lines))
    sys.exit(code)


if __name__ == "__main__":
    main()
