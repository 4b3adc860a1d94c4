"""What the demo shows: a table that grows row by row above a progress bar, a summary, and a command to copy.

On a pipe or in a file the same rows are plain lines. Nothing here asks or computes.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console, JustifyMethod
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from live_demo.asking import Answer
from live_demo.summary import Summary

_PLAIN_WIDTH = 120
_WIDTHS = {"model": 10, "why": 32, "cost": 10, "latency": 8, "answer": 6}
_GAP = 2
_COLOURS = {"sim-swift": "green", "sim-scribe": "cyan", "sim-coder": "yellow", "sim-sage": "magenta"}


class Screen:
    """One run's output. With `stderr`, stdout is left for JSON."""

    def __init__(self, *, stderr: bool = False) -> None:
        self._console = Console(stderr=stderr, highlight=False)
        if not self._console.is_terminal:
            self._console = Console(stderr=stderr, highlight=False, width=_PLAIN_WIDTH)
        fixed = sum(width for name, width in _WIDTHS.items() if name != "why") + _GAP * (len(_WIDTHS) + 1)
        free = self._console.width - fixed
        why = min(_WIDTHS["why"], free * 2 // 5)
        self._widths = {"question": free - why, **_WIDTHS, "why": why}

    def welcome(self, config: Path, log: Path) -> None:
        """What is going to happen."""
        self._console.print("[bold]RouteIQ demo[/]: a client asks for the model [bold]auto[/], the gateway chooses.")
        self._console.print(
            "The four models are [bold]simulated[/]: nothing they say is real; skill, price and pace are made up."
        )
        self._console.print(Text(f"configuration  {config}\ngateway's log  {log}\n"), soft_wrap=True, style="dim")

    @contextlib.contextmanager
    def progress(self, total: int) -> Iterator[Progress]:
        """The table's head, and a bar below the rows while the questions are asked."""
        self._row("question", "model", "why", "cost USD", "latency", "answer", style="bold")
        with Progress(
            TextColumn("asking"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        ) as progress:
            progress.add_task("asking", total=total)
            yield progress

    def answer(self, answer: Answer, progress: Progress) -> None:
        """One row more."""
        self._row(
            answer.question.text,
            Text(answer.model, style=_COLOURS.get(answer.model, "")),
            answer.reason,
            f"{answer.cost:.7f}",
            f"{answer.seconds * 1000:.0f} ms",
            Text("good", style="green") if answer.good else Text("poor", style="red"),
        )
        progress.advance(progress.task_ids[0])

    def summary(self, summary: Summary) -> None:
        """The share of each model, and the whole beside always the dearest one."""
        table = Table("model", title="\nShare by model", title_justify="left", title_style="bold")
        for heading in ("questions", "share", "cost USD", "mean latency", "answered well"):
            table.add_column(heading, justify="right")
        for part in summary.parts:
            table.add_row(
                Text(part.model, style=_COLOURS.get(part.model, "")),
                str(part.questions),
                f"{part.questions / summary.questions:.0%}",
                f"{part.cost:.7f}",
                f"{part.seconds / part.questions * 1000:.0f} ms",
                f"{part.good} of {part.questions}",
            )
        self._console.print(table)
        strategy = " and ".join(summary.strategies)
        self._console.print(
            f"auto, by {strategy}: cost {summary.cost:.7f} USD, answered well {summary.good} of {summary.questions}"
        )
        self._console.print(
            f"always {summary.dearest}: cost {summary.dearest_cost:.7f} USD, "
            f"answered well {summary.dearest_good} of {summary.questions}"
        )
        self._console.print(f"[bold]{summary.saved:.0%} of the cost saved[/] (simulated models, made-up prices)")

    def keeps_serving(self, url: str, key: str) -> None:
        """A command to copy."""
        body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "Write a SQL query for me."}]})
        self._console.print(f"\n[bold]The gateway serves on[/] at {url} until you press Ctrl-C. Ask it yourself:\n")
        command = (
            f"curl -s -i {url}/v1/chat/completions \\\n"
            f'  -H "Authorization: Bearer {key}" \\\n'
            f'  -H "Content-Type: application/json" \\\n'
            f"  -d '{body}'\n"
        )
        self._console.print(Text(command), soft_wrap=True)

    def say(self, text: str) -> None:
        """One line, or the end of a log, as it is."""
        self._console.print(Text(text), soft_wrap=True)

    def _row(self, *cells: str | Text, style: str = "") -> None:
        row = Table.grid(padding=(0, _GAP, 0, 0))
        for name, width in self._widths.items():
            side: JustifyMethod = "right" if name in ("cost", "latency") else "left"
            row.add_column(width=width, no_wrap=True, overflow="ellipsis", justify=side, style=style)
        row.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in cells))
        self._console.print(row)
