"""The result of a bench: tables for people, JSON for programs, the targets last.
Only shape and rendering live here, no measuring and no arithmetic."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.targets import Standing, Verdict

STYLES = {
    Standing.GOAL: "bold green",
    Standing.MET: "green",
    Standing.MISSED: "bold red",
    Standing.NOT_MEASURED: "yellow",
}


@dataclass(frozen=True)
class Grid:
    """One table: the first column names the row, the others are numbers already written out."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: bool = True


@dataclass
class Report:
    """`failed` broke although it should have worked; `skipped` could not be had here and says why."""

    bench: str
    grids: list[Grid] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    data: dict[str, object] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def passes_gate(self) -> bool:
        """Nothing failed, no target missed, one at least measured; what nobody asked to measure does not count."""
        standings = {verdict.standing for verdict in self.verdicts}
        if self.failed or Standing.MISSED in standings:
            return False
        return standings != {Standing.NOT_MEASURED}


def show(report: Report, console: Console) -> None:
    for grid in report.grids:
        console.print(_table(grid))
    for heading, reasons in (("failed", report.failed), ("skipped", report.skipped)):
        for name, reason in reasons.items():
            console.print(f"[bold red]{heading}[/]: {escape(name)}: {escape(reason)}")
    if report.verdicts:
        console.print(_targets(report.verdicts))


def _table(grid: Grid) -> Table:
    table = Table(title=escape(grid.title), title_justify="left")
    for number, column in enumerate(grid.columns):
        table.add_column(escape(column), justify="right" if number and grid.numeric else "left", overflow="fold")
    for row in grid.rows:
        table.add_row(*(escape(cell) for cell in row))
    return table


def _targets(verdicts: Sequence[Verdict]) -> Table:
    table = Table(title="Targets", title_justify="left")
    for column in ("figure", "measured", "must", "goal", "standing"):
        table.add_column(column, overflow="fold")
    for verdict in verdicts:
        measured = "-" if verdict.value is None else f"{verdict.value:.2f} {verdict.unit}"
        standing = f"{verdict.standing}: {verdict.note}" if verdict.note else str(verdict.standing)
        bounds = verdict.wanted(verdict.must), verdict.wanted(verdict.goal)
        style = STYLES[verdict.standing]
        table.add_row(escape(verdict.figure), measured, *bounds, f"[{style}]{escape(standing)}[/]")
    return table


def write_json(report: Report, path: Path) -> None:
    document = {
        "bench": report.bench,
        **report.data,
        "failed": report.failed,
        "skipped": report.skipped,
        "targets": [verdict.as_dict() for verdict in report.verdicts],
    }
    path.write_text(json.dumps(document, indent=2) + "\n")
