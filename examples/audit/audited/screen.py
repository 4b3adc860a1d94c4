"""Prints what happened as one table. Nothing here asks or computes."""

from __future__ import annotations

from typing import Any, TextIO

from rich.console import Console
from rich.table import Table


def show(result: dict[str, Any], out: TextIO) -> None:
    """The table at the end."""
    table = Table("what happened", "in figures", title="In short", title_justify="left")
    kill, trail, forged, again = (result[name] for name in ("kill", "trail", "forged", "verified_again"))
    table.add_row("questions answered", f"{result['answered']} of {result['questions']}")
    table.add_row("kill -9 came after", f"{kill['answered_before']} answers, with {kill['under_way']} under way")
    table.add_row("of the answered, in the trail", f"{trail['answered_found']} of {result['answered']}")
    table.add_row("of these, with how they ended", f"{trail['ends_found']}: written 0.1 s later, which a kill can cost")
    table.add_row("of those that the kill cut off", f"{trail['begun_only']} are in the trail as begun, without an end")
    table.add_row("changes in the trail", ", ".join(trail["changes"]))
    table.add_row("the trail", f"{trail['events']} events in {trail['objects']} objects, numbers without a gap")
    table.add_row("verified", "it holds, exit code 0")
    table.add_row("forged on disk", f"event {forged['seq']}: model {forged['was']} became {forged['now']}")
    table.add_row("verified again", f"bad from {again['first_bad']} on, exit code {again['code']}")
    Console(file=out, highlight=False, width=110).print(table)
