"""The official MCP conformance suite, run against a server or a client; what came out is a `Report`.

A scenario counts only if checks of its own were really run: one that skipped all of them is not covered.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import sys
import tempfile
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from .node import Finished, packages, run, script

Role = Literal["server", "client"]
LEGACY, MODERN = "2025-11-25", "2026-07-28"
_PACKAGE = "@modelcontextprotocol/conformance"
_RAN = ("SUCCESS", "FAILURE", "WARNING")
_SET_SECONDS = 600.0


@dataclass(frozen=True)
class Check:
    """One check of a scenario; `status` is SUCCESS, FAILURE, WARNING, SKIPPED or INFO."""

    id: str
    status: str
    message: str

    @property
    def own(self) -> bool:
        """Whether the scenario made it, not the suite's look at every message."""
        return not self.id.startswith("wire-schema-")


@dataclass(frozen=True)
class Scenario:
    """What one scenario found; `scored` ones decide conformance."""

    name: str
    scored: bool
    checks: tuple[Check, ...]

    @property
    def ran(self) -> tuple[Check, ...]:
        """Its own checks that were really run."""
        return tuple(check for check in self.checks if check.own and check.status in _RAN)

    @property
    def skipped(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.own and check.status == "SKIPPED")

    @property
    def failed(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.status == "FAILURE")

    @property
    def warned(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.status == "WARNING")

    @property
    def covered(self) -> bool:
        return bool(self.ran)

    @property
    def passed(self) -> bool:
        return self.covered and not self.failed


@dataclass(frozen=True)
class Report:
    """All scenarios of one run, in the suite's order."""

    role: Role
    revision: str
    scenarios: tuple[Scenario, ...]

    def __getitem__(self, name: str) -> Scenario:
        return next(scenario for scenario in self.scenarios if scenario.name == name)

    @property
    def scored(self) -> tuple[Scenario, ...]:
        return tuple(scenario for scenario in self.scenarios if scenario.scored)

    @property
    def passed(self) -> tuple[Scenario, ...]:
        """The scored scenarios that passed."""
        return tuple(scenario for scenario in self.scored if scenario.passed)

    @property
    def missed(self) -> tuple[Scenario, ...]:
        """The scored scenarios that did not pass or were not covered."""
        return tuple(scenario for scenario in self.scored if not scenario.passed)

    @property
    def count(self) -> str:
        """As `30/30`."""
        return f"{len(self.passed)}/{len(self.scored)}"

    def table(self) -> str:
        """One line a scenario, the failed checks below it, the count at the end."""
        lines = []
        for scenario in self.scenarios:
            verdict = "passed" if scenario.passed else "FAILED" if scenario.failed else "not covered"
            note = "" if scenario.scored else "  (not scored)"
            lines.append(f"{verdict:<11} {len(scenario.ran):>3} checks  {scenario.name}{note}")
            lines += [f"{check.status:>19}: {check.id}: {check.message}" for check in scenario.failed + scenario.warned]
        checks = sum(len(scenario.ran) for scenario in self.scored)
        lines.append(f"{self.role} {self.revision}: {self.count} scored scenarios, {checks} own checks run in them")
        return "\n".join(lines)


def requirement_set(role: Role, revision: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the scored scenarios of a revision, and of those that are run without a score."""
    text = (packages() / _PACKAGE / "requirements" / f"{revision}.yaml").read_text(encoding="utf-8")
    known = yaml.safe_load(text)
    unscored = (row["scenario"] for row in known["not_scored"] if row["leg"] == role)
    return tuple(known[role]), tuple(unscored)


async def run_server_set(url: str, revision: str, *, scenario_seconds: float = 30.0) -> Report:
    """Every scenario that a revision asks of the server at `url`."""
    return await _run_set("server", revision, ("--url", url), scenario_seconds)


async def run_client_set(command: Sequence[str], revision: str, *, scenario_seconds: float = 60.0) -> Report:
    """Every scenario that a revision asks of a client, all at once; the suite appends its server's URL to `command`
    and names the scenario in MCP_CONFORMANCE_SCENARIO, its data in MCP_CONFORMANCE_CONTEXT."""
    return await _run_set("client", revision, ("--command", shlex.join(command)), scenario_seconds)


async def run_server_scenarios(
    url: str, names: Iterable[str], revision: str, *, scenario_seconds: float = 30.0, at_once: int = 2
) -> Report:
    """The named scenarios alone, also those that the revision does not know; none of them is scored."""
    return await _run_named("server", ("--url", url), tuple(names), revision, scenario_seconds, at_once)


async def run_client_scenarios(
    command: Sequence[str], names: Iterable[str], revision: str, *, scenario_seconds: float = 60.0, at_once: int = 2
) -> Report:
    """The named scenarios alone, as `run_server_scenarios`."""
    options = ("--command", shlex.join(command))
    return await _run_named("client", options, tuple(names), revision, scenario_seconds, at_once)


async def _run_set(role: Role, revision: str, target: Sequence[str], seconds: float) -> Report:
    scored, unscored = await asyncio.to_thread(requirement_set, role, revision)
    with tempfile.TemporaryDirectory(prefix="mcp-conformance-") as made:
        options = (*target, "--requirements", revision, "--timeout", str(int(seconds * 1000)))
        done = await _suite(role, options, Path(made))
        found = _found(role, Path(made), (*scored, *unscored), scored, done)
    return Report(role, revision, found)


async def _run_named(
    role: Role, target: Sequence[str], names: Sequence[str], revision: str, seconds: float, at_once: int
) -> Report:
    gate = asyncio.Semaphore(at_once)

    async def one(name: str) -> Scenario:
        options = (*target, "--scenario", name, "--spec-version", revision, "--force")
        with tempfile.TemporaryDirectory(prefix="mcp-conformance-") as made:
            async with gate:
                done = await _suite(role, (*options, "--timeout", str(int(seconds * 1000))), Path(made))
            return _found(role, Path(made), (name,), (), done)[0]

    return Report(role, revision, tuple(await asyncio.gather(*(one(name) for name in names))))


async def _suite(role: Role, options: Sequence[str], folder: Path) -> Finished:
    command = await asyncio.to_thread(script, _PACKAGE, "dist/index.js")
    # The suite starts a client through a shell in its own folder: the one that the tests are run from.
    return await run(*command, role, *options, "--output-dir", str(folder), seconds=_SET_SECONDS, cwd=Path.cwd())


def _found(
    role: Role, folder: Path, names: Iterable[str], scored: Collection[str], done: Finished
) -> tuple[Scenario, ...]:
    return tuple(Scenario(name, name in scored, _checks(role, folder, name, done)) for name in names)


def _checks(role: Role, folder: Path, name: str, done: Finished) -> tuple[Check, ...]:
    prefix = f"server-{name}-" if role == "server" else f"{name}-"
    parent = folder / Path(prefix).parent
    stem = Path(prefix + "x").name[:-1]
    # A timestamp follows the name; so one name may be another's beginning.
    results = list(parent.glob(f"{stem}20*/checks.json")) if parent.exists() else []
    if not results:
        said = "\n".join((done.out + done.err).splitlines()[-8:])
        return (Check("run", "FAILURE", f"the suite left no result (it ended with {done.code}): {said}"),)
    rows = json.loads(results[0].read_text(encoding="utf-8"))
    return tuple(Check(row["id"], row["status"], row.get("errorMessage") or row["description"]) for row in rows)


async def _main(role: Role, target: str, revision: str) -> int:
    given = run_server_set(target, revision) if role == "server" else run_client_set(shlex.split(target), revision)
    report = await given
    print(report.table())
    return 1 if report.missed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run the official MCP conformance suite and count what passed.")
    parser.add_argument("role", choices=("server", "client"))
    parser.add_argument("target", help="the server's URL, or the client's command")
    parser.add_argument("revision", choices=(LEGACY, MODERN))
    asked = parser.parse_args()
    sys.exit(asyncio.run(_main(asked.role, asked.target, asked.revision)))
