"""Prints the steps, one table and one explained decision.

Nothing here asks or computes.
"""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from learned.result import Result, Way

_PLAIN_WIDTH = 120


class Screen:
    """One run's output. With `stderr`, stdout is left for JSON."""

    def __init__(self, *, stderr: bool = False) -> None:
        self._console = Console(stderr=stderr, highlight=False)
        if not self._console.is_terminal:
            self._console = Console(stderr=stderr, highlight=False, width=_PLAIN_WIDTH)

    def say(self, text: str) -> None:
        """One line, or the end of a log, as it is."""
        self._console.print(Text(text), soft_wrap=True)

    def result(self, result: Result) -> None:
        """The table of all ways to answer, and why one question went where it went."""
        table = Table(
            "", title=f"\n{result.best.questions} questions that the router had not seen", title_justify="left"
        )
        for heading in ("answered well", "cost USD", f"saved against always {result.best.name}"):
            table.add_column(heading, justify="right")
        table.add_column("answers by model")
        for way in result.singles:
            self._way(table, f"always {way.name}", way, result.best)
        table.add_section()
        for way in result.profiles:
            self._way(table, f"auto, profile {way.name}", way, result.best)
        self._console.print(table)
        self._console.print(
            "The models are simulated and the prices made up; the gateway, the training and the sums are real."
        )
        self._explained(result)

    def _way(self, table: Table, name: str, way: Way, best: Way) -> None:
        shares = ", ".join(f"{count} {model}" for model, count in sorted(way.shares.items(), key=lambda item: -item[1]))
        good = f"{way.good} of {way.questions}"
        table.add_row(name, good, f"{way.cost:.7f}", "" if way is best else f"{way.saved(best):.0%}", Text(shares))

    def _explained(self, result: Result) -> None:
        decision = result.decision
        self.say(f"\nWhy did this go to {decision['candidates'][0]['model']}?  {result.question}")
        self.say(
            f"  {decision['reason']} (strategy {decision['strategy']}, profile {decision['attributes']['profile']})"
        )
        table = Table("candidate", box=None, padding=(0, 2))
        for heading in ("expected quality", "doubt", "expected cost USD", "utility"):
            table.add_column(heading, justify="right")
        for one in decision["candidates"]:
            numbers = (
                f"{one['quality']:.2f}",
                f"{one['uncertainty']:.2f}",
                f"{one['cost'] / 1e9:.7f}",
                f"{one['score']:.3f}",
            )
            table.add_row(one["model"], *numbers)
        self._console.print(table)
