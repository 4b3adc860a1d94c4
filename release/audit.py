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


def audit(lock: Path, tool: Sequence[str] = _TOOL) -> tuple[int, list[str]]:
    """Ask about each distribution in `lock` but our own, which no database knows."""
    blocks = [line for line in lock.read_text(encoding="utf-8").splitlines() if line[:1].isalnum()]
    asked = [line.split(" ")[0].removesuffix("\\") for line in blocks if not line.startswith("routeiq")]
    if not asked:
        return NOT_CHECKED, [f"NOT CHECKED: {lock} lists nothing"]
    command = [*tool, "--format", "json", "--progress-spinner", "off", "--no-deps", "--disable-pip", "-r"]
    try:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
            listed.write("\n".join(asked))
            listed.flush()
            command.append(listed.name)
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
        told = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired) as error:
        return NOT_CHECKED, [f"NOT CHECKED: pip-audit did not run: {error}"]
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return NOT_CHECKED, [f"NOT CHECKED: the data of known holes could not be had: {last[:300]}"]
    return verdict(told, len(asked))


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Known holes in what a hash lock lists.")
    parser.add_argument("lock", type=Path)
    code, lines = audit(parser.parse_args().lock)
    print("\n".join(lines))
    sys.exit(code)


if __name__ == "__main__":
    main()
