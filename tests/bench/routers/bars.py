"""The bars of learned routing and their verdicts: on the plugin's default strategy, by means over the splits.
How the figures came about is the protocol's business."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from bench.routers.views import View
from bench.targets import NotMeasured, Target, Verdict, at_least, at_most

FIRST = "first view"
"""MiniLM where the table has its vectors, else without a download."""

Figure = tuple[str, str, str]
"""Table, view, name of the figure."""


@dataclass(frozen=True)
class Bar:
    figure: Figure
    must: float
    goal: float | None = None
    unit: str = "%"
    at_most: bool = False

    def target(self) -> Target:
        table, view, name = self.figure
        title = ", ".join(part for part in (table, "" if view == FIRST else view, name) if part)
        return (at_most if self.at_most else at_least)(title, self.unit, self.must, self.goal)


GAP, D_AIQ, SAVE, APGR = "gap", "d_aiq", "save", "APGR"
UNSEEN_MEAN, UNSEEN_WORST = "unseen task: mean change", "unseen task: worst change"
DECISION, LOAD = "one decision p50, 5,000 rows x 10 models", "artifact load and verify"
SWAP = "artifact load, verify, rebuild and self-test"
GATE = "routing gate in a gateway p50, hashing"

# All shares in percent: a gap of 0.15 is 15 %, a change of quality of -0.005 is -0.5 %.
BARS: tuple[Bar, ...] = (
    Bar(("llmrouter9", View.MINILM, GAP), 15, 20),
    Bar(("llmrouter9", View.MINILM, D_AIQ), 4.2),
    Bar(("llmrouter9", View.MINILM, SAVE), 64, 72),
    Bar(("llmrouter9", View.TEXT, GAP), 14),
    Bar(("llmrouter9", View.TEXT, D_AIQ), 4.0),
    Bar(("llmrouter9", View.TEXT, SAVE), 60),
    Bar(("routerbench11", FIRST, GAP), -1),
    Bar(("routerbench11", FIRST, D_AIQ), 2.4, 2.6),
    Bar(("routerbench11", FIRST, SAVE), 4, 6),
    Bar(("routellm2", FIRST, APGR), 65),
    Bar(("llmrouter9", FIRST, UNSEEN_MEAN), -0.5),
    Bar(("llmrouter9", FIRST, UNSEEN_WORST), -3),
    Bar(("", FIRST, DECISION), 0.3, unit="ms", at_most=True),
    Bar(("", FIRST, LOAD), 20, unit="ms", at_most=True),
    Bar(("", FIRST, SWAP), 50, unit="ms", at_most=True),
    Bar(("", FIRST, GATE), 1.5, unit="ms", at_most=True),
)


def judge(figures: Mapping[Figure, float], bars: tuple[Bar, ...] = BARS) -> list[Verdict]:
    """`figures` in the unit of their bar; what is not among them was not measured."""

    def measured(figure: Figure) -> float:
        if figure not in figures:
            raise NotMeasured("not in this run")
        return figures[figure]

    return [bar.target().judge(partial(measured, bar.figure)) for bar in bars]
